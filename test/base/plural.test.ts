import { expect, test } from 'vitest';
import { plural } from '../../src/base/plural.js';

test.each([
  [0, undefined, '0 tokens'],
  [1, undefined, '1 token'],
  [2, undefined, '2 tokens'],
  [12_345, '12k', '12k tokens'],
])('%d of a thing, written %s, are %s', (count, written, text) => {
  expect(plural(count, 'token', written)).toBe(text);
});
