import { expect, test } from 'vitest';
import { joinDistributions } from '../../src/scalar/distributions.js';
import { evaluate } from '../../src/scalar/interpret.js';
import { parse } from '../../src/scalar/parse.js';
import { toText } from '../../src/scalar/print.js';

test.each([
  ['normalCdf(x) + x*normalPdf(x)', 'geluSlope(x)'],
  ['sigmoid(x) + x*logisticPdf(x)', 'siluSlope(x)'],
  ['x*logisticPdf(x) + sigmoid(x)', 'siluSlope(x)'],
  ['3*(v*sigmoid(x)) + 1 + 3*(v*x*logisticPdf(x))', '3*(v*siluSlope(x)) + 1'],
  ['sigmoid(1.5*x) + 1.5*(x*logisticPdf(1.5*x))', 'siluSlope(1.5*x)'],
  ['x*normalCdf(x)', 'geluValue(x)'],
  ['where(x < 1, sigmoid(x) + x*logisticPdf(x), 2)', 'where(x < 1, siluSlope(x), 2)'],
])('%s is %s for lanes', (text, joined) => {
  const values = { x: -1.25, v: 0.75 };
  const expression = parse(text, ['x', 'v']);
  expect(toText(joinDistributions(expression))).toBe(joined);
  expect(evaluate(joinDistributions(expression), values)).toBeCloseTo(evaluate(expression, values), 14);
});

test.each([
  'sigmoid(x) - x*logisticPdf(x)',
  'sigmoid(x) + 2*(x*logisticPdf(x))',
  'sigmoid(x) + v*logisticPdf(x)',
  'normalCdf(x) + x*logisticPdf(x)',
  'v*normalCdf(x)',
])('%s stays as it is', (text) => {
  const expression = parse(text, ['x', 'v']);
  expect(joinDistributions(expression)).toBe(expression);
});
