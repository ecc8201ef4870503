import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { View } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { gradcheck, ones, type Tensor, tensor } from '../../src/tensor/index.js';
import { onDevices, someValues } from './devices.js';

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** a[..., i, l] b[..., l, j] summed over l, with leading axes broadcast, by definition. */
function oracle(a: readonly number[], b: readonly number[], left: readonly number[], right: readonly number[]) {
  const [m = 1, k = 1, n = 1] = [left.at(-2), left.at(-1), right.at(-1)];
  const rank = Math.max(left.length, right.length) - 2;
  const batch = Array.from({ length: rank }, (_, axis) =>
    Math.max(left[axis - rank - 2 + left.length] ?? 1, right[axis - rank - 2 + right.length] ?? 1),
  );
  const values: number[] = [];
  for (let z = 0; z < sizeOf(batch); z++) {
    const index = batch.map((size, axis) => Math.floor(z / sizeOf(batch.slice(axis + 1))) % size);
    const start = (shape: readonly number[]): number =>
      shape
        .slice(0, -2)
        .reduce((sum, size, axis) => sum * size + (size === 1 ? 0 : (index[axis + rank + 2 - shape.length] ?? 0)), 0);
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++)
          sum += (a[(start(left) * m + i) * k + l] ?? 0) * (b[(start(right) * k + l) * n + j] ?? 0);
        values.push(sum);
      }
  }
  return { shape: [...batch, m, n], values };
}

const small = fc.integer({ min: 1, max: 3 });
/** Shapes of two operands whose leading axes broadcast. */
const shapePairs = fc
  .tuple(fc.array(small, { maxLength: 3 }), fc.nat(7), fc.nat(7), fc.nat(3), fc.nat(3), small, small, small)
  .map(([batch, ones1, ones2, drop1, drop2, m, k, n]) => {
    const weaken = (which: number, drop: number): number[] =>
      batch.map((size, axis) => (which & (1 << axis) ? 1 : size)).slice(Math.min(drop, batch.length));
    return [
      [...weaken(ones1, drop1), m, k],
      [...weaken(ones2, drop2), k, n],
    ] as const;
  });

onDevices((on) => {
  test('matmul multiplies matrices whose leading axes broadcast', async () => {
    await fc.assert(
      fc.asyncProperty(shapePairs, async ([left, right]) => {
        const [a, b] = [someValues(sizeOf(left), 1), someValues(sizeOf(right), 2)];
        const { shape, values } = oracle(a, b, left, right);
        await on.expectValues(tensor(on.device, a, left).matmul(tensor(on.device, b, right)), shape, values);
      }),
    );
  });

  test('vectors are rows on the left and columns on the right', async () => {
    const matrix = tensor(on.device, [
      [1, 2, 3],
      [4, 5, 6],
    ]);
    await on.expectValues(tensor(on.device, [1, 10]).matmul(matrix), [3], [41, 52, 63]);
    await on.expectValues(matrix.matmul(tensor(on.device, [1, 10, 100])), [2], [321, 654]);
    await on.expectValues(tensor(on.device, [1, 2]).matmul(tensor(on.device, [3, 4])), [], [11]);
    const batch = matrix.unsqueeze(0).expand([2, 2, 3]);
    await on.expectValues(tensor(on.device, [1, 10]).matmul(batch), [2, 3], [41, 52, 63, 41, 52, 63]);
    await on.expectValues(batch.matmul(tensor(on.device, [1, 10, 100])), [2, 2], [321, 654, 321, 654]);
  });

  test('views multiply without copies', async () => {
    const a = tensor(on.device, someValues(24), [2, 3, 4]);
    const b = tensor(on.device, someValues(24, 2), [2, 3, 4]);
    const product = a.transpose(1, 2).matmul(b).slice(2, 1, 3);
    const expected = a.permute([0, 2, 1]).contiguous().matmul(b.clone()).slice(2, 1, 3);
    await on.expectValues(product, [2, 4, 2], Array.from(await expected.toArray()));
  });

  test('inner sizes that differ are named with both shapes and a remedy', () => {
    expect(() => ones(on.device, [8, 64]).matmul(ones(on.device, [63, 10]))).toThrow(
      'matmul expects the last axis of the left (64) to equal the first of the right (63), received [8, 64] and [63, 10].',
    );
    expect(() => ones(on.device, [8, 64]).matmul(ones(on.device, [10, 64]))).toThrow('Transpose the right');
    expect(() => ones(on.device, [2, 2]).matmul(ones(on.device, []))).toThrow('at least one axis');
    expect(() => ones(on.device, [2, 2, 3]).matmul(ones(on.device, [4, 3, 2]))).toThrow('matmul expects shapes');
  });

  test('the gradient of a weight used through a transposed view accumulates in place, with no other layout', async () => {
    const weight = tensor(on.device, someValues(6), [2, 3], { requiresGrad: true });
    const x = tensor(on.device, someValues(12, 2), [2, 2, 3]);
    const step = (): void => x.matmul(weight.transpose(0, 1)).sum().backward();
    step();
    const before = weight.grad;
    const once = Array.from((await before?.toArray()) ?? []);
    step();
    expect(weight.grad).toBe(before);
    await on.expectValues(
      weight.grad ?? x,
      [2, 3],
      once.map((value) => 2 * value),
    );
  });
});

describe('gradients', async () => {
  const device = await openReference();
  const leaf = (shape: readonly number[], seed: number): Tensor =>
    tensor(device, someValues(sizeOf(shape), seed), shape, { requiresGrad: true });

  test('matmul has the gradients that central differences give, for any broadcast', async () => {
    await fc.assert(
      fc.asyncProperty(shapePairs, async ([left, right]) => {
        await gradcheck((a, b) => a.matmul(b).tanh(), [leaf(left, 1), leaf(right, 2)]);
      }),
      { numRuns: 30 },
    );
  });

  test('through views, vectors and operands used twice', async () => {
    const [a, b, v] = [leaf([2, 3], 1), leaf([4, 3], 2), leaf([3], 3)];
    await gradcheck((x, y) => x.matmul(y.transpose(0, 1)), [a, b]);
    await gradcheck((x, y) => x.slice(1, 0, 2).matmul(y.slice(0, 1, 3)), [a, b]);
    await gradcheck((x, y) => x.transpose(0, 1).matmul(x).matmul(y), [a, v]);
    await gradcheck((x) => x.matmul(x), [v]);
    await gradcheck((x, y) => y.matmul(x.transpose(0, 1)).add(x.sum(1)), [a, v]);
  });

  test('a product of many rows by one matrix is one product, and a permuted operand keeps its batches', async () => {
    const products: (readonly number[])[] = [];
    const original = device.matmul;
    Object.assign(device, {
      matmul: (x: View, y: View, z: View, accumulate: boolean) => {
        products.push(z.shape);
        original(x, y, z, accumulate);
      },
    });
    const x = leaf([2, 5, 3], 1);
    x.matmul(leaf([3, 4], 2))
      .sum()
      .backward();
    expect(products).toEqual([
      [1, 10, 4],
      [1, 3, 4],
      [1, 10, 3],
    ]);
    products.length = 0;
    const heads = leaf([2, 5, 4, 3], 3).transpose(1, 2);
    heads.matmul(heads.detach().transpose(-2, -1));
    expect(products).toEqual([
      [4, 5, 5],
      [4, 5, 5],
    ]);
    Object.assign(device, { matmul: original });
  });
});
