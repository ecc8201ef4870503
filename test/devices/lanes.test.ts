import { expect, test } from 'vitest';
import { lowerToLanes } from '../../src/devices/lanes.js';
import { parse } from '../../src/scalar/parse.js';

const variables = ['x', 'dy', 'previous'];
const typeOf = (text: string, weights: readonly string[] = []): string =>
  lowerToLanes({ outputs: [parse(text, variables)], weights }, ['float32', 'float32']).type;

test('lanes are float32 where that holds the accuracy contract, else float64', () => {
  expect(typeOf('sigmoid(x)')).toBe('float32');
  expect(typeOf('sigmoid(x) + x*logisticPdf(x)')).toBe('float64');
  expect(lowerToLanes({ outputs: [parse('x + 1')] }, ['int32']).type).toBe('float64');
});

test('a factor of the gradient that comes in, and a sum so far, ask for no more digits than the derivative alone', () => {
  const derivative = 'where(0 < x, 1, exp(x))';
  expect(typeOf(`dy*${derivative}`)).toBe('float64');
  expect(typeOf(`dy*${derivative}`, ['dy'])).toBe('float32');
  expect(typeOf(`dy*${derivative} + previous`, ['dy', 'previous'])).toBe('float32');
  expect(typeOf('dy*(sigmoid(x) + x*logisticPdf(x))', ['dy'])).toBe('float64');
});
