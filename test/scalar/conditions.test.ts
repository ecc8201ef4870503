import fc from 'fast-check';
import { expect, test } from 'vitest';
import { constant, variable } from '../../src/scalar/expression.js';
import { evaluate } from '../../src/scalar/interpret.js';
import { parse } from '../../src/scalar/parse.js';
import { toText } from '../../src/scalar/print.js';
import { simplify } from '../../src/scalar/simplify.js';

const read = (text: string) => parse(text, ['x', 'y']);
const simplified = (text: string): string => toText(simplify(read(text)));

test.each([
  ['where(x + 3 < 6, 1, 0)', 'where(x < 3, 1, 0)'],
  ['where(6 < x + 3, 1, 0)', 'where(3 < x, 1, 0)'],
  ['where(x - 0.5 < 0.25, 1, 0)', 'where(x < 0.75, 1, 0)'],
  ['where(max(x + 3, 0) < 6, 1, 0)', 'where(x < 3, 1, 0)'],
  ['where(max(x, 6) < 6, 1, 0)', '0'],
  ['where(-1 < min(x, 1), 1, 0)', 'where(-1 < x, 1, 0)'],
  ['where(min(x, 1) < 1, 1, 0)', 'where(x < 1, 1, 0)'],
])('%s is compared without what surrounds x', (text, expected) => {
  expect(simplified(text)).toBe(expected);
});

test.each([
  'where(min(x, 1) < 2, 1, 0)', // holds for every number, but not for NaN
  'where(x + 0.1 < 0.3, 1, 0)', // 0.3 - 0.1 is no float32
  'where(2*x + 1 < 4, 1, 0)',
  'where(x + y + 1 < 4, 1, 0)',
])('%s stays as it is', (text) => {
  expect(simplified(text)).toBe(toText(read(text)));
});

test('a condition keeps its truth, for NaN and infinities too', () => {
  const x = variable('x');
  const whole = fc.integer({ min: -4, max: 4 });
  const inputs = fc.oneof(whole, fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY));
  fc.assert(
    fc.property(whole, whole, whole, whole, fc.boolean(), inputs, (add, low, high, limit, swap, at) => {
      const side = x.add(add).max(low).min(high);
      const chosen = swap ? constant(limit).whereLess(side, 1, 0) : side.whereLess(limit, 1, 0);
      expect(evaluate(simplify(chosen), { x: at })).toBe(evaluate(chosen, { x: at }));
    }),
  );
});
