import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import type { MapKernel } from '../../src/kernels/kernel.js';
import { Elementwise } from '../../src/scalar/elementwise.js';
import { apply, variable } from '../../src/scalar/expression.js';
import { gradcheck, mapInto, mapJoined, mapTensors, ones, type Tensor, tensor, zeros } from '../../src/tensor/index.js';
import { onDevices, someValues } from './devices.js';

const [a, b, x] = [variable('a'), variable('b'), variable('x')];

/** A shape, and one that broadcasts with it: axes dropped in front or set to 1. */
const shapePairs = fc
  .tuple(fc.array(fc.integer({ min: 1, max: 3 }), { maxLength: 4 }), fc.nat(15), fc.nat(15), fc.nat(4), fc.nat(4))
  .map(([shape, ones1, ones2, drop1, drop2]) => {
    const weaken = (ones: number, drop: number): number[] =>
      shape.map((size, axis) => (ones & (1 << axis) ? 1 : size)).slice(Math.min(drop, shape.length));
    return [weaken(ones1, drop1), weaken(ones2, drop2)] as const;
  });

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

/** By definition: for each index of the result, the operands' elements at that index, 0 along axes of size 1. */
function broadcastOracle(
  first: readonly number[],
  second: readonly number[],
  combine: (i: number, j: number) => number,
): { readonly shape: number[]; readonly values: number[] } {
  const rank = Math.max(first.length, second.length);
  const shape = Array.from({ length: rank }, (_, axis) =>
    Math.max(first[axis - rank + first.length] ?? 1, second[axis - rank + second.length] ?? 1),
  );
  const values = Array.from({ length: sizeOf(shape) }, (_, flat) => {
    const index = shape.map((size, axis) => Math.floor(flat / sizeOf(shape.slice(axis + 1))) % size);
    const position = (own: readonly number[]): number =>
      own.reduce((sum, size, axis) => sum * size + (size === 1 ? 0 : (index[axis + rank - own.length] ?? 0)), 0);
    return combine(position(first), position(second));
  });
  return { shape, values };
}

onDevices((on) => {
  test('elementwise operations broadcast like index arithmetic', async () => {
    await fc.assert(
      fc.asyncProperty(shapePairs, async ([first, second]) => {
        const [left, right] = [someValues(sizeOf(first), 1), someValues(sizeOf(second), 2)];
        const result = tensor(on.device, left, first).sub(tensor(on.device, right, second));
        const expected = broadcastOracle(first, second, (i, j) => (left[i] ?? 0) - (right[j] ?? 0));
        await on.expectValues(result, expected.shape, expected.values);
      }),
    );
  });

  test('numbers stand for constants on the right', async () => {
    const t = tensor(on.device, [-2, 0.5, 3]);
    await on.expectValues(t.mul(2).add(1), [3], [-3, 2, 7]);
    await on.expectValues(t.max(0), [3], [0, 0.5, 3]);
    await on.expectValues(t.whereLess(0, t.mul(0.1), t), [3], [-0.2, 0.5, 3]);
    await on.expectValues(t.whereLess(tensor(on.device, [0, 0, 4]), -1, 1), [3], [-1, 1, -1]);
  });

  test('whole powers hold for negative bases, other exponents are tensors or numbers', async () => {
    const t = tensor(on.device, [-2, 0.5, 3]);
    await on.expectValues(t.pow(3), [3], [-8, 0.125, 27]);
    await on.expectValues(t.pow(-2), [3], [0.25, 4, 1 / 9]);
    await on.expectValues(t.pow(0), [3], [1, 1, 1]);
    await on.expectValues(t.abs().pow(0.5), [3], [Math.SQRT2, Math.SQRT1_2, Math.sqrt(3)]);
    await on.expectValues(t.abs().pow(t), [3], [0.25, Math.SQRT1_2, 27]);
  });

  test('map fuses a function, with numbers and tensors as its parameters', async () => {
    const t = tensor(on.device, [
      [-1, 2],
      [3, -4],
    ]);
    const leaky = x.max(0).add(x.min(0).mul(variable('slope')));
    await on.expectValues(t.map({ expression: leaky }, { slope: 0.5 }), [2, 2], [-0.5, 2, 3, -2]);
    const slopes = tensor(on.device, [0.1, 0.2]);
    await on.expectValues(t.map({ expression: leaky }, { slope: slopes }), [2, 2], [-0.1, 2, 3, -0.8]);
    await on.expectValues(
      t.map((one) => one.mul(one)),
      [2, 2],
      [1, 4, 9, 16],
    );
  });

  test('map takes infinities to the limits, and carries NaN, in the gradient too', async () => {
    const values = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY, Number.NaN];
    const t = tensor(on.device, values, [3], { requiresGrad: true });
    const silu = t.map((one) => one.mul(one.sigmoid()));
    await on.expectValues(silu, [3], [0, Number.POSITIVE_INFINITY, Number.NaN]);
    silu.backward(ones(on.device, [3]));
    await on.expectValues(t.grad ?? t, [3], [0, 1, Number.NaN]);
  });

  test('mapTensors gives a tensor for each expression', async () => {
    const [sum, product] = mapTensors(
      [a.add(b), a.mul(b).mul(variable('factor'))],
      { a: tensor(on.device, [1, 2]), b: tensor(on.device, [[3], [4]]) },
      { factor: 10 },
    );
    await on.expectValues(sum, [2, 2], [4, 5, 5, 6]);
    await on.expectValues(product, [2, 2], [30, 60, 40, 80]);
  });

  test('mapJoined puts its results side by side along an axis', async () => {
    const [left, right] = [
      tensor(on.device, [
        [1, 2],
        [3, 4],
      ]),
      tensor(on.device, [10, 100]),
    ];
    const joined = mapJoined([a.mul(b), a.sub(b)], { a: left, b: right }, -1);
    await on.expectValues(joined, [2, 4], [10, 200, -9, -98, 30, 400, -7, -96]);
    await on.expectValues(mapJoined([a, a.neg()], { a: left }, 0), [4, 2], [1, 2, 3, 4, -1, -2, -3, -4]);
  });

  test('mapInto writes in place what broadcasts to its targets', async () => {
    const [weights, momentum] = [ones(on.device, [2, 2]), zeros(on.device, [2, 2])];
    const gradient = tensor(on.device, [1, 2]);
    const [w, m, g] = [variable('w'), variable('m'), variable('g')];
    const next = m.mul(0.9).add(g);
    mapInto(
      [w.sub(next.mul(variable('rate'))), next],
      [weights, momentum],
      { w: weights, m: momentum, g: gradient },
      { rate: 0.1 },
    );
    await on.expectValues(weights, [2, 2], [0.9, 0.8, 0.9, 0.8]);
    await on.expectValues(momentum, [2, 2], [1, 2, 1, 2]);
    expect(() => mapInto([g], [gradient], { g: weights })).toThrow('to which the inputs broadcast');
    expect(() => mapInto([g, g], [gradient], { g: gradient })).toThrow('received "1 for 2"');
  });

  test('shapes that do not broadcast are refused with the name of the operation', () => {
    expect(() => ones(on.device, [2, 3]).add(ones(on.device, [2]))).toThrow(/^add expects .* \[\[2, 3\], \[2\]\]/);
  });
});

describe('gradients', async () => {
  const device = await openReference();
  const leaf = (shape: readonly number[], seed: number, values = someValues(sizeOf(shape), seed)): Tensor =>
    tensor(device, values, shape, { requiresGrad: true });

  const methods = Object.getOwnPropertyNames(Elementwise.prototype).filter(
    (name) => name !== 'constructor' && name !== 'apply',
  ) as Exclude<keyof Elementwise<Tensor>, 'apply'>[];

  test.each(methods)('%s has the gradient that central differences give, by every operand', async (name) => {
    const method = (...all: Tensor[]): Tensor => {
      const [first, ...rest] = all;
      if (first === undefined) throw new Error('a method has a tensor before the dot');
      return (first[name] as (...operands: Tensor[]) => Tensor).call(first, ...rest);
    };
    const shapes = [[2, 3], ...Array.from({ length: Elementwise.prototype[name].length }, () => [3])];
    const operands = (lift: number): Tensor[] =>
      shapes.map((shape, i) =>
        leaf(
          shape,
          i + 1,
          someValues(sizeOf(shape), i + 1).map((value) => value + lift),
        ),
      );
    // Logarithms, roots and powers want what is positive.
    const isDefined = (await method(...operands(0)).toArray()).every((value) => !Number.isNaN(value));
    await gradcheck(method, operands(isDefined ? 0 : 2));
  });

  test('inputs of any broadcast shapes get gradients of their own shapes', async () => {
    const formula = [a.mul(b).tanh().add(b.mul(b))] as const;
    await fc.assert(
      fc.asyncProperty(shapePairs, async ([first, second]) => {
        await gradcheck((l, r) => mapTensors(formula, { a: l, b: r })[0], [leaf(first, 1), leaf(second, 2)]);
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    ['a bias over rows of at least eight', [3, 8], [8]],
    ['a bias over two axes', [2, 4, 8], [4, 8]],
    ['one number', [4, 8], []],
    ['one number for each row', [4, 8], [4, 1]],
  ])('%s collects the sum of its gradients, beside the other input and a number for each row', async (_, wide, narrow) => {
    const formula = [a.mul(b).sigmoid().mul(variable('c')).add(b)] as const;
    const run = (l: Tensor, r: Tensor, c: Tensor): Tensor => mapTensors(formula, { a: l, b: r, c: c }, {})[0].mul(l);
    await gradcheck(run, [leaf(wide, 1), leaf(narrow, 2), leaf([...wide.slice(0, -1), 1], 3)]);
  });

  test('the gradient of a bias is summed as it is computed: no buffer of the full size', () => {
    const sizes: number[] = [];
    const original = device.allocate;
    const loss = leaf([16, 8], 1)
      .detach()
      .mul(leaf([8], 2))
      .sum();
    Object.assign(device, {
      allocate: (...args: Parameters<typeof original>) => {
        sizes.push(args[1]);
        return original.apply(device, args);
      },
    });
    loss.backward();
    Object.assign(device, { allocate: original });
    // Of the loss, of the product, of the bias.
    expect(sizes).toEqual([1, 128, 8]);
  });

  test('several outputs share one backward kernel, whether or not all of them are used', async () => {
    const outputs = [a.mul(b), a.add(b.tanh())] as const;
    const inputs = [leaf([2, 2], 1), leaf([2], 2)];
    await gradcheck((l, r) => {
      const [product, sum] = mapTensors(outputs, { a: l, b: r });
      return product.mul(sum);
    }, inputs);
    await gradcheck((l, r) => mapTensors(outputs, { a: l, b: r })[1], inputs);
  });

  test('joined outputs, as rotary embeddings use them, on the halves of one tensor', async () => {
    const [c, s] = [variable('c'), variable('s')];
    const rotated = [a.mul(c).sub(b.mul(s)), b.mul(c).add(a.mul(s))];
    const rotate = (t: Tensor, cosine: Tensor, sine: Tensor): Tensor =>
      mapJoined(rotated, { a: t.slice(-1, 0, 2), b: t.slice(-1, 2, 4), c: cosine, s: sine }, -1);
    await gradcheck(
      (t, cosine, sine) => rotate(t, cosine, sine).tanh(),
      [leaf([2, 3, 4], 1), leaf([3, 2], 2), leaf([2], 3)],
    );
    await gradcheck(
      (t) =>
        rotate(t, ones(device, [1]), ones(device, [8, 1, 2]))
          .sum(0)
          .add(t.sum(0)),
      [leaf([1, 3, 4], 4)],
    );
  });

  test('a tensor used twice, also through a view, gets the sum', async () => {
    const square = leaf([3, 3], 1);
    await gradcheck((t) => t.mul(t), [square]);
    await gradcheck((t) => t.mul(t.transpose(0, 1)), [square]);
    await gradcheck((t) => t.add(t.transpose(0, 1)).add(t), [square]);
    await gradcheck((t) => t.slice(0, 0, 2).mul(t.slice(0, 1, 3)), [square]);
  });

  test('learned parameters of a map get gradients, shared or for each channel', async () => {
    const swish = { expression: x.mul(x.mul(variable('beta')).sigmoid()) };
    for (const shape of [[1], [3]]) {
      await gradcheck((t, beta) => t.map(swish, { beta: beta }), [leaf([2, 3], 1), leaf(shape, 2)]);
    }
  });
});

test('an operation makes no kernel that an earlier one of its kind has made', async () => {
  const device = await openReference();
  const seen: MapKernel[] = [];
  const original = device.map;
  Object.assign(device, {
    map: (...args: Parameters<typeof original>) => {
      seen.push(args[0]);
      original(...args);
    },
  });
  const step = (rate: number): void => {
    const w = tensor(device, [1, 2, 3], [3], { requiresGrad: true });
    w.mul(rate)
      .sub(1)
      .pow(2)
      .map((one) => apply('tanh', one))
      .mul(w)
      .sum()
      .backward();
  };
  step(0.1);
  const first = new Set(seen);
  step(0.2);
  step(0.3);
  expect(seen.length).toBeGreaterThan(20);
  expect(seen.filter((kernel) => !first.has(kernel))).toEqual([]);
});
