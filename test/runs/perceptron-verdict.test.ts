import { expect, test } from 'vitest';
import { whyNotLearned } from '../../src/runs/tasks/perceptron-verdict.js';

test('a perceptron that found no line in many examples says how many mistakes it needs at most', () => {
  const count = 150_000;
  // Two lines with a gap between them.
  const inputs = Float32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? i / count : i % 4 < 2 ? 1 : -1));
  const targets = Int32Array.from({ length: count }, (_, i) => i % 2);
  const failure = { words: ['a', 'b'], passes: 3, loss: 0.25, slope: undefined, inUnits: Array.from<number> };
  expect(whyNotLearned({ count, width: 2, inputs, targets }, failure).message).toMatch(
    /A line parts the classes.*6\.0/,
  );
});

test('a proof that no line parts the classes is in the units of the data', () => {
  const examples = { count: 4, width: 1, inputs: Float32Array.of(-1, 0, 1, 2), targets: Int32Array.of(0, 1, 0, 1) };
  const inUnits = (example: ArrayLike<number>): number[] => Array.from(example, (x) => 1000 + 10 * x);
  const { message } = whyNotLearned(examples, { words: ['a', 'b'], passes: 3, loss: 0.5, slope: undefined, inUnits });
  expect(message).toMatch(/meet at \(10\d\d\)/);
  expect(message).not.toMatch(/\(-?[012](\.\d+)?\)/);
});
