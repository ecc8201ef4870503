import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { gradcheck, ones, type Tensor, tensor } from '../../src/tensor/index.js';
import { expectNear, onDevices, someValues } from './devices.js';

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

const cases = fc
  .tuple(
    fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
    fc.nat(15),
    fc.boolean(),
    fc.boolean(),
  )
  .map(([shape, which, keepdim, transposed]) => {
    const axes = shape.flatMap((_, axis) => (which & (1 << axis) ? [axis] : []));
    return { shape, axes: axes.length === 0 ? [0] : axes, keepdim, transposed };
  });

/** The elements that meet in each element of the result, by definition. */
function groups(shape: readonly number[], values: readonly number[], axes: readonly number[]): number[][] {
  const found = new Map<string, number[]>();
  for (const [flat, value] of values.entries()) {
    const index = shape.map((size, axis) => Math.floor(flat / sizeOf(shape.slice(axis + 1))) % size);
    const key = index.filter((_, axis) => !axes.includes(axis)).join();
    const group = found.get(key) ?? [];
    group.push(value);
    found.set(key, group);
  }
  return [...found.values()];
}

const reducers = {
  sum: (group: readonly number[]) => group.reduce((a, b) => a + b, 0),
  mean: (group: readonly number[]) => group.reduce((a, b) => a + b, 0) / group.length,
  amax: (group: readonly number[]) => Math.max(...group),
} as const;

onDevices((on) => {
  test.each(['sum', 'mean', 'amax'] as const)('%s reduces any axes of any view, kept or dropped', async (name) => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape, axes, keepdim, transposed }) => {
        const values = someValues(sizeOf(shape));
        const last = shape.length - 1;
        const made = transposed
          ? tensor(on.device, values, shape).transpose(0, last).contiguous().transpose(0, last)
          : tensor(on.device, values, shape);
        const result = made[name](
          axes.map((axis) => axis - shape.length),
          { keepdim },
        );
        const kept = shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
        const expectedShape = keepdim ? kept : kept.filter((_, axis) => !axes.includes(axis));
        await on.expectValues(result, expectedShape, groups(shape, values, axes).map(reducers[name]));
      }),
    );
  });

  test('without axes, everything is reduced to one number', async () => {
    const t = tensor(on.device, [
      [1, 2],
      [3, 5],
    ]);
    await on.expectValues(t.sum(), [], [11]);
    await on.expectValues(t.mean(undefined, { keepdim: true }), [1, 1], [2.75]);
    await on.expectValues(t.amax(), [], [5]);
    await on.expectValues(tensor(on.device, 7).sum(), [], [7]);
  });

  test('long sums go piece by piece and are exact where numbers are whole', async () => {
    for (const length of [8192, 6000, 4099]) {
      await on.expectValues(ones(on.device, [length]).sum(), [], [length]);
      await on.expectValues(ones(on.device, [2, length]).sum(1), [2], [length, length]);
    }
  });

  test('an axis that is not there, or twice, is refused', () => {
    expect(() => ones(on.device, [2]).sum(1)).toThrow('the tensor given to sum has axes -1 to 0, received 1');
    expect(() => ones(on.device, [2, 2]).mean([0, -2])).toThrow('mean names each axis once');
  });

  test('equal largest values share the gradient', async () => {
    const t = tensor(
      on.device,
      [
        [1, 3, 3],
        [5, 2, 2],
      ],
      undefined,
      { requiresGrad: true },
    );
    t.amax(1).sum().backward();
    await on.expectValues(t.grad ?? t, [2, 3], [0, 0.5, 0.5, 1, 0, 0]);
  });

  test('softmax and logSoftmax run along any axis and stay finite for large values', async () => {
    const t = tensor(on.device, [
      [1000, 1001, 1002],
      [-1000, -1000, -1001],
    ]);
    const e = Math.exp(-1);
    const total = 1 + e + e * e;
    await on.expectValues(
      t.softmax(),
      [2, 3],
      [(e * e) / total, e / total, 1 / total, 1 / (2 + e), 1 / (2 + e), e / (2 + e)],
    );
    const columns = t.transpose(0, 1).softmax(0);
    await on.expectValues(columns.transpose(0, 1), [2, 3], Array.from(await t.softmax().toArray()));
    await on.expectValues(
      t.logSoftmax().slice(0, 0, 1),
      [1, 3],
      [-2, -1, 0].map((shift) => shift - Math.log(total)),
    );
  });

  test('softmax and logSoftmax that are nearly certain keep the digits of values and gradients', async () => {
    const t = tensor(on.device, [[0, -50]], undefined, { requiresGrad: true });
    const tiny = Math.exp(-50);
    const largest = async (result: Tensor): Promise<number> => {
      t.zeroGrad();
      result.select(1, 0).sum().backward();
      return (await t.grad?.toArray())?.[0] ?? 0;
    };
    expect((await largest(t.softmax())) / tiny).toBeCloseTo(1, 6);
    expect((await largest(t.logSoftmax())) / tiny).toBeCloseTo(1, 6);
    expect(((await t.logSoftmax().toArray())[0] ?? 0) / -tiny).toBeCloseTo(1, 6);
  });
});

describe('gradients', async () => {
  const device = await openReference();
  const leaf = (shape: readonly number[], seed: number): Tensor =>
    tensor(device, someValues(sizeOf(shape), seed), shape, { requiresGrad: true });

  test.each(['sum', 'mean', 'amax'] as const)('%s has the gradient that central differences give', async (name) => {
    await fc.assert(
      fc.asyncProperty(cases, async ({ shape, axes, keepdim }) => {
        await gradcheck((t) => t[name](axes, { keepdim }).pow(2), [leaf(shape, 1)]);
        await gradcheck(
          (t) => t.add(t.transpose(0, -1).contiguous().transpose(0, -1)[name](axes, { keepdim: true })),
          [leaf(shape, 2)],
        );
      }),
      { numRuns: 25 },
    );
  });

  test.each(['softmax', 'logSoftmax'] as const)('%s has the gradient that central differences give', async (name) => {
    const weights = tensor(device, someValues(12, 4), [3, 4]);
    await gradcheck((t) => t[name]().mul(weights), [leaf([3, 4], 1)]);
    await gradcheck((t) => t[name](0).mul(weights), [leaf([3, 4], 2)]);
    await gradcheck((t) => t.mul(2).add(t[name]()), [leaf([3, 4], 2)]);
  });

  test('the sum of two gradients of one tensor is their sum', async () => {
    const t = leaf([2, 3], 1);
    t.sum().add(t.mean(0).sum()).backward();
    expectNear((await t.grad?.toArray()) ?? [], Array(6).fill(1.5));
  });
});
