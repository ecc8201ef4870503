import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import { epochBatches, permutation, selectExamples, stratifiedSplit } from '../../src/data/examples.js';
import { drawPoints, toyTaskNames, toyTasks } from '../../src/data/toy-tasks.js';

const key = randomKey(1, 'shuffle');
const sorted = (values: Iterable<number>): number[] => [...values].sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('a split', () => {
  const classes = Int32Array.from({ length: 1000 }, (_, i) => (i < 900 ? 0 : i < 990 ? 1 : 2));

  test('holds out the same share of each class, and every example is in one part', () => {
    const { training, validation } = stratifiedSplit(classes, 0.2, key);
    expect(sorted([...training, ...validation])).toEqual(upTo(1000));
    const count = (label: number): number => validation.filter((i) => classes[i] === label).length;
    expect([count(0), count(1), count(2)]).toEqual([180, 18, 2]);
  });

  test('has each class in both parts, however small the share or the class', () => {
    const { training, validation } = stratifiedSplit(Int32Array.of(0, 0, 1, 1, 1), 0.01, key);
    expect(sorted(new Set(Array.from(validation, (i) => (i < 2 ? 0 : 1))))).toEqual([0, 1]);
    expect(training.length).toBe(3);
  });

  test('refuses a class with one example', () => {
    expect(() => stratifiedSplit(Int32Array.of(0, 0, 1), 0.5, key)).toThrow(/one example of class 1/);
  });

  test('parts values as one class', () => {
    const { training, validation } = stratifiedSplit(Float32Array.from(upTo(10)), 0.3, key);
    expect([training.length, validation.length]).toEqual([7, 3]);
  });

  test('parts as many examples as there are', () => {
    const { training, validation } = stratifiedSplit(new Int32Array(300_000), 0.5, key);
    expect([training.length, validation.length]).toEqual([150_000, 150_000]);
  });
});

describe('the batches of an epoch', () => {
  test('have every example once, in an order that the key decides', () => {
    const batches = epochBatches({ count: 103, batch: 10, key });
    expect(batches.map(({ length }) => length)).toEqual([...upTo(10).map(() => 10), 3]);
    expect(sorted(batches.flatMap((batch) => [...batch]))).toEqual(upTo(103));
    expect(epochBatches({ count: 103, batch: 10, key })).toEqual(batches);
    expect(epochBatches({ count: 103, batch: 10, key: randomKey(1, 'shuffle', 1) })).not.toEqual(batches);
  });

  test('have sequences of about one length, so that little is padded, and still come in a random order', () => {
    const lengths = Int32Array.from({ length: 1000 }, (_, i) => 1 + ((i * 37) % 100));
    const batches = epochBatches({ count: 1000, batch: 10, key, lengths });
    expect(sorted(batches.flatMap((batch) => [...batch]))).toEqual(upTo(1000));
    const of = (batch: Int32Array): number[] => Array.from(batch, (i) => lengths[i] ?? 0);
    const padded = (all: readonly Int32Array[]): number =>
      all.reduce((sum, batch) => sum + batch.length * Math.max(...of(batch)) - of(batch).reduce((a, b) => a + b, 0), 0);
    expect(padded(batches)).toBeLessThan(0.2 * padded(epochBatches({ count: 1000, batch: 10, key })));
    const means = batches.map((batch) => of(batch).reduce((a, b) => a + b, 0));
    expect(means).not.toEqual([...means].sort((a, b) => a - b));
  });
});

test('a permutation has every number once, and each place gets each number about as often', () => {
  expect(sorted(permutation(50, key))).toEqual(upTo(50));
  const firsts = upTo(3000).map((i) => permutation(3, randomKey(i, 'shuffle'))[0] ?? 0);
  for (const value of [0, 1, 2]) {
    expect(Math.abs(firsts.filter((first) => first === value).length - 1000)).toBeLessThan(130);
  }
});

test('a selection keeps inputs and targets together, in the order asked for', () => {
  const examples = { count: 3, width: 2, inputs: Float32Array.of(0, 1, 2, 3, 4, 5), targets: Int32Array.of(7, 8, 9) };
  expect(selectExamples(examples, Int32Array.of(2, 0))).toEqual({
    count: 2,
    width: 2,
    inputs: Float32Array.of(4, 5, 0, 1),
    targets: Int32Array.of(9, 7),
  });
});

test.each(toyTaskNames)('%s has as many points of each class, and the key alone decides them', (name) => {
  const drawn = drawPoints(toyTasks[name], 200, key);
  expect(drawn.targets.filter((label) => label === 0)).toHaveLength(100);
  expect(drawPoints(toyTasks[name], 200, key)).toEqual(drawn);
  expect(drawn.inputs.every((value) => Math.abs(value) < 3)).toBe(true);
});
