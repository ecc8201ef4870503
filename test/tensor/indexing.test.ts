import { expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { gradcheck, ones, type Tensor, tensor } from '../../src/tensor/index.js';
import { onDevices, someValues } from './devices.js';

onDevices((on) => {
  test('gather gives the rows that indices of any shape name', async () => {
    const table = tensor(on.device, [
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    const indices = tensor(on.device, Int32Array.of(2, 0, 2, 1), [2, 2]);
    await on.expectValues(table.gather(indices), [2, 2, 2], [5, 6, 1, 2, 5, 6, 3, 4]);
    await on.expectValues(table.gather(indices.transpose(0, 1).select(0, 1)), [2, 2], [1, 2, 3, 4]);
    await on.expectValues(table.transpose(0, 1).gather(tensor(on.device, Int32Array.of(1), [])), [3], [2, 4, 6]);
    await on.expectValues(table.select(1, 1).gather(indices.view([4])), [4], [6, 2, 6, 4]);
  });

  test('gather takes int32 indices', () => {
    expect(() => ones(on.device, [3, 2]).gather(ones(on.device, [2]))).toThrow('int32 indices');
  });

  test('the gradient of a table is the sum over mentions, beside its other uses, and anew after zeroGrad', async () => {
    const table = tensor(on.device, someValues(6), [3, 2], { requiresGrad: true });
    const indices = tensor(on.device, Int32Array.of(2, 0, 2));
    table.gather(indices).sum().add(table.sum()).backward();
    await on.expectValues(table.grad ?? table, [3, 2], [2, 2, 1, 1, 3, 3]);
    table.zeroGrad();
    table.gather(indices).sum().backward();
    await on.expectValues(table.grad ?? table, [3, 2], [1, 1, 0, 0, 2, 2]);
  });
});

test('gather has the gradient that central differences give, for windows of a table too', async () => {
  const device = await openReference();
  const leaf = (shape: readonly number[]): Tensor =>
    tensor(device, someValues(shape.reduce((a, b) => a * b, 1)), shape, { requiresGrad: true });
  const indices = tensor(device, Int32Array.of(1, 0, 1, 1), [2, 2]);
  await gradcheck((t) => t.gather(indices).pow(2), [leaf([3, 2])]);
  await gradcheck((t) => t.slice(1, 1, 3).gather(indices).pow(2), [leaf([2, 4])]);
  await gradcheck((t) => t.transpose(0, 1).gather(indices).pow(2), [leaf([2, 3])]);
  await gradcheck((t) => t.tanh().gather(indices).add(t.select(0, 1)), [leaf([3, 2])]);
});
