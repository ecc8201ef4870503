import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { concat, gradcheck, ones, stack, type Tensor, tensor, zeros } from '../../src/tensor/index.js';
import { onDevices, someValues } from './devices.js';

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** An array as a shape and a function of indices: what a view must look like, by definition. */
interface Model {
  readonly shape: readonly number[];
  readonly at: (index: readonly number[]) => number;
}

function valuesOf({ shape, at }: Model): number[] {
  return Array.from({ length: sizeOf(shape) }, (_, flat) =>
    at(shape.map((size, axis) => Math.floor(flat / sizeOf(shape.slice(axis + 1))) % size)),
  );
}

function modelOf(shape: readonly number[], values: readonly number[]): Model {
  return {
    shape,
    at: (index) => values[index.reduce((sum, i, axis) => sum * (shape[axis] ?? 1) + i, 0)] ?? Number.NaN,
  };
}

type Step = (t: Tensor, m: Model, draw: (limit: number) => number) => readonly [Tensor, Model];

/** Each operation on the tensor, and what it means for indices. */
const steps: Record<string, Step> = {
  transpose: (t, m, draw) => {
    const [a, b] = [draw(m.shape.length), draw(m.shape.length)];
    const swap = <T>(items: readonly T[]): T[] =>
      items.map((item, i) => (i === a ? items[b] : i === b ? items[a] : item) ?? item);
    return [t.transpose(a, b - m.shape.length), { shape: swap(m.shape), at: (index) => m.at(swap(index)) }];
  },
  slice: (t, m, draw) => {
    const axis = draw(m.shape.length);
    const size = m.shape[axis] ?? 1;
    const start = draw(size);
    const end = start + 1 + draw(size - start);
    const at = (index: readonly number[]): number => m.at(index.with(axis, (index[axis] ?? 0) + start));
    return [t.slice(axis, start - size, end), { shape: m.shape.with(axis, end - start), at }];
  },
  narrow: (t, m, draw) => {
    const axis = draw(m.shape.length);
    const start = draw(m.shape[axis] ?? 1);
    const at = (index: readonly number[]): number => m.at(index.with(axis, (index[axis] ?? 0) + start));
    return [t.narrow(axis, start, 1), { shape: m.shape.with(axis, 1), at }];
  },
  select: (t, m, draw) => {
    if (m.shape.length < 2) return [t, m];
    const axis = draw(m.shape.length);
    const chosen = draw(m.shape[axis] ?? 1);
    const at = (index: readonly number[]): number => m.at(index.toSpliced(axis, 0, chosen));
    return [t.select(axis, chosen), { shape: m.shape.toSpliced(axis, 1), at }];
  },
  unsqueeze: (t, m, draw) => {
    if (m.shape.length > 4) return [t, m];
    const axis = draw(m.shape.length + 1);
    const at = (index: readonly number[]): number => m.at(index.toSpliced(axis, 1));
    return [t.unsqueeze(axis), { shape: m.shape.toSpliced(axis, 0, 1), at }];
  },
  squeeze: (t, m) => {
    const single = m.shape.indexOf(1);
    if (single < 0 || m.shape.length < 2) return [t, m];
    return [
      t.squeeze(single),
      { shape: m.shape.toSpliced(single, 1), at: (index) => m.at(index.toSpliced(single, 0, 0)) },
    ];
  },
  expand: (t, m) => {
    const shape = m.shape.map((size) => (size === 1 ? 2 : size));
    if (sizeOf(shape) > 200) return [t, m];
    const at = (index: readonly number[]): number => m.at(index.map((i, axis) => (m.shape[axis] === 1 ? 0 : i)));
    return [t.expand(m.shape.map((size) => (size === 1 ? 2 : -1))), { shape, at }];
  },
  permute: (t, m) => {
    const axes = m.shape.map((_, axis) => (axis + 1) % m.shape.length);
    const at = (index: readonly number[]): number => {
      const before: number[] = [];
      for (const [i, axis] of axes.entries()) before[axis] = index[i] ?? 0;
      return m.at(before);
    };
    return [t.permute(axes), { shape: axes.map((axis) => m.shape[axis] ?? 1), at }];
  },
  reshape: (t, m) => {
    const shape = [m.shape.at(-1) ?? 1, sizeOf(m.shape) / (m.shape.at(-1) ?? 1)];
    return [t.reshape([shape[0] ?? 1, -1]), modelOf(shape, valuesOf(m))];
  },
  contiguous: (t, m) => [t.contiguous(), m],
};

const recipes = fc.tuple(
  fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }),
  fc.array(fc.tuple(fc.constantFrom(...Object.keys(steps)), fc.nat(100), fc.nat(100)), { maxLength: 5 }),
);

function follow(start: Tensor, model: Model, recipe: readonly (readonly [string, number, number])[]) {
  let [t, m]: readonly [Tensor, Model] = [start, model];
  for (const [name, first, second] of recipe) {
    const numbers = [first, second, first];
    [t, m] = steps[name]?.(t, m, (limit) => (numbers.pop() ?? 0) % limit) ?? [t, m];
  }
  return [t, m] as const;
}

onDevices((on) => {
  test('any sequence of views shows what index arithmetic says, to reading and to operations', async () => {
    await fc.assert(
      fc.asyncProperty(recipes, async ([shape, recipe]) => {
        const values = someValues(sizeOf(shape));
        const [view, model] = follow(tensor(on.device, values, shape), modelOf(shape, values), recipe);
        await on.expectValues(view, model.shape, valuesOf(model));
        await on.expectValues(
          view.mul(2),
          model.shape,
          valuesOf(model).map((value) => 2 * value),
        );
      }),
    );
  });

  test('gradients through any sequence of views land where the values came from', async () => {
    await fc.assert(
      fc.asyncProperty(recipes, async ([shape, recipe]) => {
        const [size, values] = [sizeOf(shape), someValues(sizeOf(shape))];
        const leaf = tensor(on.device, values, shape, { requiresGrad: true });
        const [view, origins] = follow(
          leaf,
          modelOf(
            shape,
            Array.from({ length: size }, (_, i) => i),
          ),
          recipe,
        );
        const weights = someValues(view.size, 3);
        view.backward(tensor(on.device, weights, view.shape));
        const expected = Array<number>(size).fill(0);
        for (const [i, origin] of valuesOf(origins).entries())
          expected[origin] = (expected[origin] ?? 0) + (weights[i] ?? 0);
        await on.expectValues(leaf.grad ?? leaf, shape, expected);
      }),
    );
  });

  test('a view shares memory: writing to one is seen in the other', async () => {
    const whole = zeros(on.device, [2, 2]);
    whole.transpose(0, 1).select(0, 1).write([5, 6]);
    await on.expectValues(whole, [2, 2], [0, 5, 0, 6]);
    expect(whole.slice(0, 1).storage).toBe(whole.storage);
  });

  test('view refuses what reshape copies', async () => {
    const transposed = tensor(on.device, [
      [1, 2, 3],
      [4, 5, 6],
    ]).transpose(0, 1);
    expect(() => transposed.view([6])).toThrow('Use reshape()');
    await on.expectValues(transposed.reshape([6]), [6], [1, 4, 2, 5, 3, 6]);
    expect(transposed.view([3, 1, 2]).storage).toBe(transposed.storage);
  });

  test('shapes that do not fit are refused with both shapes', () => {
    const t = ones(on.device, [2, 3]);
    expect(() => t.reshape([4, -1])).toThrow('reshape keeps the 6 elements of [2, 3], received [4, -1]');
    expect(() => t.expand([4, 3])).toThrow('expand expects shapes that are equal, or 1');
    expect(() => t.expand([3])).toThrow('expand repeats axes of size 1 of [2, 3]');
    expect(() => t.slice(1, 2, 2)).toThrow('at least one index of axis 1, which has 3');
    expect(() => t.narrow(0, 1, 2)).toThrow('narrow takes indices of axis 0, which has 2');
    expect(() => t.select(0, 2)).toThrow('select takes an index of axis 0, which has 2, received 2');
    expect(() => t.squeeze(1)).toThrow('axis 1 has 3');
    expect(() => t.permute([0, 0])).toThrow('each of the 2 axes once');
    expect(() => t.chunk(2, 1)).toThrow('axis 1 has 3, received "2 parts"');
  });

  test('slice cuts to the axis, as indices past the end do in Python', async () => {
    const t = tensor(on.device, [0, 1, 2, 3]);
    await on.expectValues(t.slice(0, 2, 99), [2], [2, 3]);
    await on.expectValues(t.slice(0, -1), [1], [3]);
    await on.expectValues(t.slice(0, 0, -2), [2], [0, 1]);
  });

  test('concat joins along an axis, stack along a new one, and chunk takes apart', async () => {
    const [left, right] = [
      tensor(on.device, [
        [1, 2],
        [3, 4],
      ]),
      tensor(on.device, [[5], [6]]),
    ];
    await on.expectValues(concat([left, right], 1), [2, 3], [1, 2, 5, 3, 4, 6]);
    await on.expectValues(concat([left, left.transpose(0, 1)]), [4, 2], [1, 2, 3, 4, 1, 3, 2, 4]);
    await on.expectValues(stack([left, left.mul(10)], -1), [2, 2, 2], [1, 10, 2, 20, 3, 30, 4, 40]);
    const [first, second] = concat([left, right], 1).chunk(3, 1);
    await on.expectValues(first ?? left, [2, 1], [1, 3]);
    await on.expectValues(second ?? left, [2, 1], [2, 4]);
    const whole = concat([tensor(on.device, Int32Array.of(1, 2)), tensor(on.device, Int32Array.of(-100))]);
    expect(await whole.toArray()).toEqual(Int32Array.of(1, 2, -100));
    expect(() => concat([left, right], 0)).toThrow('equal but for axis 0, received [[2, 2], [2, 1]]');
  });

  test('contiguous and clone: a view where the order is right, memory of its own', async () => {
    const t = tensor(on.device, [
      [1, 2],
      [3, 4],
    ]);
    expect(t.contiguous().storage).toBe(t.storage);
    const copy = t.transpose(0, 1).contiguous();
    expect(copy.isContiguous).toBe(true);
    await on.expectValues(copy, [2, 2], [1, 3, 2, 4]);
    expect(t.clone().storage).not.toBe(t.storage);
  });
});

test('concat and stack pass gradients to each part, repeated parts and views included', async () => {
  const device = await openReference();
  const leaf = (shape: readonly number[], seed: number): Tensor =>
    tensor(device, someValues(sizeOf(shape), seed), shape, { requiresGrad: true });
  const weights = tensor(device, someValues(12, 5), [2, 6]);
  const joined = (a: Tensor, b: Tensor): Tensor => concat([a, b, a.slice(1, 0, 1), b.slice(0, 0, 1).expand([2, 1])], 1);
  await gradcheck((a, b) => joined(a, b).mul(weights), [leaf([2, 3], 1), leaf([2, 1], 2)]);
  await gradcheck((a, b) => stack([a, b.transpose(0, 1), a], 1).pow(2), [leaf([2, 3], 1), leaf([3, 2], 2)]);
});
