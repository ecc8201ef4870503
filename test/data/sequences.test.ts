import { describe, expect, test } from 'vitest';
import { randomInteger, randomKey } from '../../src/base/random.js';
import { type Examples, exampleAt, lengthsOf, offsetsOf, selectExamples } from '../../src/data/examples.js';
import { lengthBatches, pad, padExamples } from '../../src/data/sequences.js';

/** Three sequences of 2, 1 and 3 steps of two numbers, with two targets each. */
const three: Examples = {
  count: 3,
  width: 2,
  inputs: Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12),
  offsets: Int32Array.of(0, 2, 3, 6),
  targets: Int32Array.of(1, 2, 3, 4, 5, 6),
  targetWidth: 2,
};

test('padding is 0 in tokens and mask, behind the end of each sequence', () => {
  expect(pad([[5, 6, 7], [8]])).toEqual({
    ids: Int32Array.of(5, 6, 7, 8, 0, 0),
    mask: Float32Array.of(1, 1, 1, 1, 0, 0),
    count: 2,
    length: 3,
  });
  expect(() => pad([[1], []])).toThrow(/at least one step, received "none in sequence 2/);
});

describe('sequences of several numbers a step', () => {
  test('are padded by 0 behind the end of each', () => {
    expect(padExamples(three)).toEqual({
      values: Float32Array.of(...[1, 2, 3, 4, 0, 0], ...[5, 6, 0, 0, 0, 0], ...[7, 8, 9, 10, 11, 12]),
      lengths: Int32Array.of(2, 1, 3),
      length: 3,
    });
  });

  test('are selected whole, with all of their targets', () => {
    const chosen = selectExamples(three, Int32Array.of(2, 0));
    expect(chosen).toEqual({
      ...{ count: 2, width: 2, inputs: Float32Array.of(7, 8, 9, 10, 11, 12, 1, 2, 3, 4) },
      ...{ offsets: Int32Array.of(0, 3, 5), targets: Int32Array.of(5, 6, 1, 2), targetWidth: 2 },
    });
    expect(exampleAt(chosen, 1)).toEqual(Float32Array.of(1, 2, 3, 4));
    expect(lengthsOf(chosen)).toEqual(Int32Array.of(3, 2));
  });

  test.each([
    ['one too few', [0, 2, 6]],
    ['one that goes back', [0, 3, 2, 6]],
    ['an end before that of the numbers', [0, 2, 3, 5]],
    ['a beginning behind the first number', [1, 2, 3, 6]],
  ])('are refused with offsets that do not match the batch: %s', (_, offsets) => {
    expect(() => padExamples({ ...three, offsets: Int32Array.from(offsets) })).toThrow(
      /the offsets of 3 sequences are 4 steps from 0 to 6/,
    );
  });

  test('are refused where one is empty', () => {
    expect(() => padExamples({ ...three, offsets: Int32Array.of(0, 2, 2, 6) })).toThrow(/none in sequence 2/);
  });
});

describe('batches by length', () => {
  const key = randomKey(3, 'noise');
  const lengths = Int32Array.from({ length: 500 }, (_, i) => 1 + randomInteger(key, i, 60));

  test('have every sequence once, few at a time, and bounded steps with their padding', () => {
    const batches = lengthBatches(lengths, { batch: 16, steps: 400 });
    expect(batches.flatMap((batch) => [...batch]).sort((a, b) => a - b)).toEqual([...lengths.keys()]);
    for (const batch of batches) {
      expect(batch.length).toBeLessThanOrEqual(16);
      expect(batch.length * Math.max(...batch.map((i) => lengths[i] ?? 0))).toBeLessThanOrEqual(400);
    }
    expect(batches.length).toBeLessThan(80);
  });

  test('take a sequence that is longer than their steps alone', () => {
    expect(lengthBatches(Int32Array.of(900, 2, 3), { batch: 4, steps: 10 })).toEqual([
      Int32Array.of(1, 2),
      Int32Array.of(0),
    ]);
  });
});

test('offsets are where each sequence begins, and at last where the last one ends', () => {
  expect(offsetsOf([2, 0, 3])).toEqual(Int32Array.of(0, 2, 2, 5));
});
