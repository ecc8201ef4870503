import { expect, test } from 'vitest';
import { mnist } from '../../src/data/mnist.js';

test('the digits are ten thousand images of 28 x 28 pixels from 0 to 1, some hundred of each', async () => {
  const { count, width, inputs, targets } = await mnist();
  expect([count, width, inputs.length, targets.length]).toEqual([10_000, 784, 7_840_000, 10_000]);
  expect(inputs.every((pixel) => pixel >= 0 && pixel <= 1)).toBe(true);
  for (let digit = 0; digit < 10; digit++) {
    expect(targets.filter((target) => target === digit).length).toBeGreaterThan(800);
  }
});
