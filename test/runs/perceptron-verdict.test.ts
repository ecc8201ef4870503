import { expect, test } from 'vitest';
import { whyNotLearned } from '../../src/runs/tasks/perceptron-verdict.js';

test('a perceptron that found no line in many examples says how many mistakes it needs at most', () => {
  const count = 150_000;
  // Two lines with a gap between them.
  const inputs = Float32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? i / count : i % 4 < 2 ? 1 : -1));
  const targets = Int32Array.from({ length: count }, (_, i) => i % 2);
  const failure = { words: ['a', 'b'], passes: 3, loss: 0.25, slope: undefined };
  expect(whyNotLearned({ count, width: 2, inputs, targets }, failure).message).toMatch(
    /A line parts the classes.*6\.0/,
  );
});
