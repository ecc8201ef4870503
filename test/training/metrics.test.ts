import { describe, expect, test } from 'vitest';
import { classScores, valueScores } from '../../src/training/metrics.js';

describe('class scores', () => {
  const { accuracy, macroF1, classes, confusion } = classScores(
    [0, 1, 1, 2, 0, 1],
    [0, 0, 1, 2, 2, 1],
    ['a', 'b', 'c'],
  );

  test('count in a row of the confusion matrix what the examples of a class were taken for', () => {
    expect(confusion).toEqual([
      [1, 1, 0],
      [0, 2, 0],
      [1, 0, 1],
    ]);
    expect(accuracy).toBeCloseTo(4 / 6, 15);
  });

  test('have precision, recall and their harmonic mean for each class', () => {
    const [a, b, c] = classes;
    expect(a).toEqual({ name: 'a', examples: 2, precision: 1 / 2, recall: 1 / 2, f1: 1 / 2 });
    expect(b).toEqual({ name: 'b', examples: 2, precision: 2 / 3, recall: 1, f1: 4 / 5 });
    expect(c).toEqual({ name: 'c', examples: 2, precision: 1, recall: 1 / 2, f1: 2 / 3 });
    expect(macroF1).toBeCloseTo((1 / 2 + 4 / 5 + 2 / 3) / 3, 15);
  });

  test('leave a class that neither occurs nor is guessed out of the mean, and are 0 for one that is never guessed', () => {
    const scores = classScores([0, 0, 0], [0, 0, 1], ['a', 'b', 'c']);
    expect(scores.classes.map(({ f1 }) => f1)).toEqual([4 / 5, 0, 0]);
    expect(scores.macroF1).toBeCloseTo(2 / 5, 15);
  });

  test('refuse classes without a name, and lengths that differ', () => {
    expect(() => classScores([2], [0], ['a', 'b'])).toThrow(/classes are numbers below 2/);
    expect(() => classScores([0], [0, 1], ['a', 'b'])).toThrow(/received "1 for 2"/);
    expect(() => classScores([], [], ['a'])).toThrow(/one example or more/);
  });
});

describe('value scores', () => {
  test('are the mean squared and absolute error and the explained share of the variance', () => {
    const scores = valueScores([1, 2, 5], [1, 3, 5]);
    expect(scores.meanSquaredError).toBeCloseTo(1 / 3, 15);
    expect(scores.meanAbsoluteError).toBeCloseTo(1 / 3, 15);
    expect(scores.r2).toBeCloseTo(1 - 1 / 8, 15);
  });

  test('have an R^2 of 0 for the mean, below 0 for worse, and none where all values are equal', () => {
    expect(valueScores([3, 3, 3], [1, 3, 5]).r2).toBe(0);
    expect(valueScores([9, 3, 3], [1, 3, 5]).r2).toBeLessThan(0);
    expect(valueScores([3, 4], [3, 3]).r2).toBeUndefined();
  });
});
