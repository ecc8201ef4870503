import { expect, test } from 'vitest';
import type { View } from '../../src/devices/device.js';
import { concat, gradcheck, memory, type Tensor, tensor } from '../../src/tensor/index.js';
import { matmulStacked } from '../../src/tensor/operations/stacked.js';
import { settle } from '../../src/tensor/side-by-side.js';
import { onDevices, someValues } from './devices.js';

onDevices((on) => {
  const make = (shape: readonly number[], seed: number, requiresGrad = true): Tensor => {
    const size = shape.reduce((product, length) => product * length, 1);
    return tensor(on.device, someValues(size, seed), shape, { requiresGrad });
  };
  const apart = (x: Tensor, matrices: readonly Tensor[]): Tensor =>
    concat(
      matrices.map((matrix) => x.matmul(matrix.transpose(0, 1))),
      -1,
    );

  test.each([true, false])('is the concat of the products, with its gradients; side by side: %s', async (joined) => {
    const matrices = [make([4, 3], 1), make([2, 3], 2), make([1, 3], 3)];
    const x = make([2, 5, 3], 4);
    if (joined) settle(matrices);
    const weights = make([2, 5, 7], 5, false);
    const expected = apart(x, matrices);
    expected.mul(weights).sum().backward();
    const leaves = [x, ...matrices];
    const gradients = await Promise.all(leaves.map(async ({ grad }) => [...((await grad?.toArray()) ?? [])]));
    for (const one of leaves) one.zeroGrad();
    const result = matmulStacked(x, matrices);
    await on.expectValues(result, [2, 5, 7], [...(await expected.toArray())]);
    for (const times of [1, 2]) {
      matmulStacked(x, matrices).mul(weights).sum().backward();
      for (const [i, one] of leaves.entries()) {
        await on.expectValues(
          one.grad as Tensor,
          one.shape,
          (gradients[i] ?? []).map((value) => times * value),
        );
      }
    }
  });

  test('gives gradients to those matrices that learn', async () => {
    const [first, frozen, last] = [make([2, 3], 1), make([2, 3], 2, false), make([2, 3], 3)] as const;
    const x = make([4, 3], 4, false);
    matmulStacked(x, [first, frozen, last]).sum().backward();
    const sums = [...(await x.sum(0).toArray())];
    for (const one of [first, last]) await on.expectValues(one.grad as Tensor, [2, 3], [...sums, ...sums]);
    expect(frozen.grad).toBeUndefined();
  });

  test('agrees with central differences through views of the result', async () => {
    const matrices = [make([2, 3], 1), make([2, 3], 2)] as const;
    settle(matrices);
    if (on.device.name !== 'reference') return;
    const x = make([4, 3], 4);
    await gradcheck(
      (input, a, b) => {
        const both = matmulStacked(input, [a, b]);
        return both
          .slice(1, 0, 2)
          .mul(both.slice(1, 2, 4))
          .tanh();
      },
      [x, ...matrices],
    );
  });

  test('matrices side by side are one product, and so are their gradients', () => {
    const matrices = [make([4, 3], 1), make([2, 3], 2)];
    settle(matrices);
    const x = make([5, 3], 3);
    const shapes: (readonly number[])[] = [];
    const { matmul } = on.device;
    const counted = (a: View, b: View, c: View, accumulate: boolean): void => {
      shapes.push(c.shape);
      matmul.call(on.device, a, b, c, accumulate);
    };
    Object.defineProperty(on.device, 'matmul', { value: counted, configurable: true });
    try {
      matmulStacked(x, matrices).sum().backward();
      // Their gradients have places of their own until an optimizer puts them side by side.
      expect(shapes).toEqual([
        [1, 5, 6],
        [1, 4, 3],
        [1, 2, 3],
        [1, 5, 3],
      ]);
    } finally {
      Reflect.deleteProperty(on.device, 'matmul');
    }
  });

  test('backward() takes no memory where only the graph holds the values', () => {
    const x = make([64, 32], 1);
    const square = (from: Tensor): Tensor => {
      const result = from.mul(from);
      from.dispose();
      return result;
    };
    const loss = square(square(x.tanh())).sum();
    const { buffers } = memory(on.device);
    loss.backward();
    // The gradient of x is all that there is more; what the graph held is gone.
    expect(memory(on.device).buffers).toBeLessThanOrEqual(buffers);
  });
});
