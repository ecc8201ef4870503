import { expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import { mnist, shifted } from '../../src/data/mnist.js';

test('the digits are ten thousand images of 28 x 28 pixels from 0 to 1, some hundred of each', async () => {
  const { count, width, inputs, targets } = await mnist();
  expect([count, width, inputs.length, targets.length]).toEqual([10_000, 784, 7_840_000, 10_000]);
  expect(inputs.every((pixel) => pixel >= 0 && pixel <= 1)).toBe(true);
  for (let digit = 0; digit < 10; digit++) {
    expect(targets.filter((target) => target === digit).length).toBeGreaterThan(800);
  }
});

test('a shifted image is the same one moved, with paper at its edges', () => {
  const inputs = Float32Array.from({ length: 20 * 784 }, (_, i) => 1 + (i % 784));
  const images = { count: 20, width: 784, inputs, targets: new Int32Array(20) };
  const moves = new Set<string>();
  const moved = shifted(images, 2, -1, randomKey(1, 'noise'));
  for (let image = 0; image < 20; image++) {
    const own = moved.inputs.subarray(image * 784, (image + 1) * 784);
    // The pixel at (14, 14) was 28 * 14 + 14 places into the image.
    const from = (own[28 * 14 + 14] ?? 0) - 1;
    const [down, right] = [14 - Math.floor(from / 28), 14 - (from % 28)];
    moves.add(`${down},${right}`);
    own.forEach((value, i) => {
      const [y, x] = [Math.floor(i / 28) - down, (i % 28) - right];
      expect(value).toBe(y < 0 || y > 27 || x < 0 || x > 27 ? -1 : 1 + 28 * y + x);
    });
    expect(Math.max(Math.abs(down), Math.abs(right))).toBeLessThanOrEqual(2);
  }
  expect(moves.size).toBeGreaterThan(8);
});
