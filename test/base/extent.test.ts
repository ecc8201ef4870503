import { expect, test } from 'vitest';
import { extent } from '../../src/base/extent.js';

test('the extent of numbers is from the least to the largest', () => {
  expect(extent([3, -1, 2])).toEqual([-1, 3]);
  expect(extent(Float32Array.of(0.5))).toEqual([0.5, 0.5]);
  expect(extent([])).toEqual([Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
});
