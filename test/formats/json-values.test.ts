import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeJson, encodeJson } from '../../src/formats/json-values.js';
import { errorOf } from './make-safetensors.js';

test('every number comes back as it was', () => {
  const numbers = [NaN, Infinity, -Infinity, -0, 0, 5e-324, 1.7976931348623157e308, 0.1, 2 ** 53 + 2];
  expect(decodeJson(encodeJson(numbers))).toEqual(numbers);
  expect(encodeJson({ best: Infinity })).toBe('{"best":{"$number":"Infinity"}}');
  fc.assert(fc.property(fc.double(), (x) => Object.is(decodeJson(encodeJson(x)), x)));
});

test('integers of any size come back as they were', () => {
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (x) => {
      expect(decodeJson(encodeJson({ seed: x }))).toEqual({ seed: x });
    }),
  );
});

test('plain JSON is written as JSON.stringify writes it', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const plain: unknown = JSON.parse(JSON.stringify(value));
      expect(encodeJson(plain, 2)).toBe(JSON.stringify(plain, null, 2));
      expect(decodeJson(encodeJson(plain))).toEqual(plain);
    }),
  );
});

test('undefined members are left out', () => {
  expect(encodeJson({ a: undefined, b: 1 })).toBe('{"b":1}');
});

describe('what JSON would lose is refused with its place', () => {
  const circle: Record<string, unknown> = {};
  Object.assign(circle, { self: circle });
  test.each<[string, unknown, RegExp]>([
    ['a Map', { state: { moments: new Map() } }, /at \.state\.moments\), received "Map"/],
    ['a typed array', { list: [1, new Float32Array(2)] }, /at \.list\[1\]\), received "Float32Array"/],
    ['a date', { at: new Date(0) }, /received "Date"/],
    ['a function', { f: () => 1 }, /received "function"/],
    ['undefined in a list', [undefined], /at \[0\]\), received "undefined"/],
    ['a hole in a list', new Array(1), /received "undefined"/],
    ['a symbol', Symbol('x'), /at its top\), received "symbol"/],
    ['a circle', circle, /deep or in a circle/],
    ['a reserved key', { $number: 'NaN' }, /reserved keys/],
  ])('%s', async (_what, value, message) => {
    const error = await errorOf(() => encodeJson(value));
    expect(error.code).toBe('argument');
    expect(error.message).toMatch(message);
  });
});

test('a text that is not well-formed, or tagged wrongly, is a format error', async () => {
  for (const text of [
    '',
    '{',
    '{"a":{"$number":"x"}}',
    '{"$bigint":"1.5"}',
    '{"$bigint":1}',
    '{"$number":"NaN","b":1}',
  ]) {
    expect((await errorOf(() => decodeJson(text))).code, text).toBe('format');
  }
});
