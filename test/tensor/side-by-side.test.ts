import { expect, test } from 'vitest';
import { memory, scope, type Tensor, tensor } from '../../src/tensor/index.js';
import { SideBySide } from '../../src/tensor/side-by-side.js';
import { onDevices, someValues } from './devices.js';

onDevices((on) => {
  const leaf = (shape: readonly number[], seed: number): Tensor => {
    const size = shape.reduce((product, length) => product * length, 1);
    return tensor(on.device, someValues(size, seed), shape, { requiresGrad: true }).keep();
  };
  const read = async (leaves: readonly Tensor[]): Promise<number[][]> =>
    Promise.all(leaves.map(async (one) => [...(await one.toArray())]));

  test('leaves move into one memory with their values and gradients', async () => {
    const leaves = [leaf([2, 3], 1), leaf([4], 2), leaf([1, 2], 3)];
    leaves[1]?.mul(3).sum().backward();
    const before = await read(leaves);
    const [block, ...others] = SideBySide.of(leaves);
    expect(others).toEqual([]);
    expect(await read(leaves)).toEqual(before);
    expect(block?.size).toBe(12);
    expect(await on.device.read(block?.values() as never)).toEqual(
      (await on.device.read(block?.values() as never)).map((_, i) => before.flat()[i] ?? Number.NaN),
    );
    await on.expectValues(leaves[1]?.grad as Tensor, [4], [3, 3, 3, 3]);
    expect(leaves.map(({ grad }) => grad === undefined)).toEqual([true, false, true]);
    expect(block?.ranges()).toEqual([{ start: 6, size: 4 }]);
  });

  test('their gradients lie side by side, 0 where there is none', async () => {
    const leaves = [leaf([3], 1), leaf([2, 2], 2), leaf([2], 3)] as const;
    const [block] = SideBySide.of(leaves);
    for (let step = 0; step < 2; step++) {
      for (const one of leaves) one.zeroGrad();
      leaves[0].mul(2).sum().backward();
      leaves[0].sum().backward();
      leaves[2].mul(5).sum().backward();
      expect([...(await on.device.read(block?.gradients() as never))]).toEqual([3, 3, 3, 0, 0, 0, 0, 5, 5]);
      expect(block?.ranges()).toEqual([
        { start: 0, size: 3 },
        { start: 7, size: 2 },
      ]);
    }
  });

  test('a leaf stays where it is while a view or a graph looks at it', async () => {
    const [viewed, used, free, other] = [leaf([2], 1), leaf([2], 2), leaf([2], 3), leaf([3], 4)];
    const view = viewed.view([2, 1]);
    const loss = used.mul(2).sum();
    const blocks = SideBySide.of([viewed, used, free, other]);
    expect(blocks.map(({ size }) => size)).toEqual([2, 2, 5]);
    viewed.write([7, 8]);
    await on.expectValues(view, [2, 1], [7, 8]);
    loss.backward();
    await on.expectValues(used.grad as Tensor, [2], [2, 2]);
  });

  test('a second time nothing moves, and the gradients stay where they are', () => {
    const leaves = [leaf([2], 1), leaf([3], 2)];
    const [first] = SideBySide.of(leaves);
    const { buffers } = memory(on.device);
    const [second] = SideBySide.of(leaves);
    expect(memory(on.device).buffers).toBe(buffers);
    expect(second?.gradients().buffer).toBe(first?.gradients().buffer);
  });

  test('all memory goes back with the leaves', () => {
    const { buffers } = memory(on.device);
    const leaves = [leaf([2], 1), leaf([3], 2)];
    SideBySide.of(leaves);
    scope(on.device, () => leaves[0]?.mul(3).sum().backward());
    for (const one of leaves) one.dispose();
    expect(memory(on.device).buffers).toBe(buffers);
  });
});
