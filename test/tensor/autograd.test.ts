import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { concat, gradcheck, internal, noGrad, ones, type Tensor, tensor } from '../../src/tensor/index.js';
import { onDevices, someValues } from './devices.js';

onDevices((on) => {
  const leaf = (values: readonly number[], shape?: readonly number[]): Tensor =>
    tensor(on.device, values, shape, { requiresGrad: true });
  const gradientOf = (t: Tensor): Tensor => {
    if (t.grad === undefined) throw new Error('backward() has not reached the leaf');
    return t.grad;
  };

  test('gradients add up over calls of backward() until zeroGrad', async () => {
    const x = leaf([1, 2]);
    x.mul(x).sum().backward();
    x.mul(3).sum().backward();
    await on.expectValues(gradientOf(x), [2], [5, 7]);
    x.zeroGrad();
    expect(x.grad).toBeUndefined();
    x.sum().backward();
    await on.expectValues(gradientOf(x), [2], [1, 1]);
  });

  test('a gradient is one buffer for the life of its leaf', () => {
    const x = leaf([1, 2]);
    const buffers = [1, 2, 3].map(() => {
      x.zeroGrad();
      x.mul(2).sum().backward();
      return gradientOf(x).storage.buffer;
    });
    expect(new Set(buffers).size).toBe(1);
  });

  test('a result that reaches the loss by many ways gets the sum of all', async () => {
    const x = leaf([0.5, -1]);
    const y = x.mul(2);
    const z = y.add(y.mul(y)).add(x);
    z.add(y).sum().backward();
    // z + y = 2x + 4x^2 + x + 2x
    await on.expectValues(gradientOf(x), [2], [5 + 8 * 0.5, 5 - 8]);
  });

  test('shared gradients of a residual stream are not written over', async () => {
    const [x, w] = [leaf([1, 2]), leaf([3, 4])];
    const a = x.mul(w);
    const b = a.add(x.mul(2));
    const c = b.add(a.tanh());
    c.add(b).sum().backward();
    const slope = [3, 8].map((value) => 1 - Math.tanh(value) ** 2);
    await on.expectValues(
      gradientOf(x),
      [2],
      [3, 4].map((weight, i) => 2 * (weight + 2) + weight * (slope[i] ?? 0)),
    );
    await on.expectValues(
      gradientOf(w),
      [2],
      [1, 2].map((value, i) => 2 * value + value * (slope[i] ?? 0)),
    );
  });

  test('backward of a tensor takes the gradient of the loss, and leaves it as it was', async () => {
    const x = leaf([1, 2, 3, 4], [2, 2]);
    const gradient = tensor(on.device, [
      [1, 10],
      [100, 1000],
    ]);
    x.transpose(0, 1).mul(2).backward(gradient);
    await on.expectValues(gradientOf(x), [2, 2], [2, 200, 20, 2000]);
    await on.expectValues(gradient, [2, 2], [1, 10, 100, 1000]);
    x.zeroGrad();
    const y = x.mul(2);
    y.add(y.mul(3)).backward(gradient);
    await on.expectValues(gradientOf(x), [2, 2], [8, 80, 800, 8000]);
    await on.expectValues(gradient, [2, 2], [1, 10, 100, 1000]);
  });

  test('backward refuses what it cannot start from', () => {
    const x = leaf([1, 2]);
    expect(() => ones(on.device, []).backward()).toThrow('depends on a tensor with requiresGrad');
    expect(() => x.mul(2).backward()).toThrow('takes a gradient of its shape, which only one element can do without');
    expect(() => x.mul(2).backward(ones(on.device, [1]))).toThrow('received [1]');
  });

  test('a second backward() through a graph is refused, also from another result, unless the graph is retained', async () => {
    const x = leaf([2]);
    const shared = x.mul(x);
    const [first, second] = [shared.mul(3).sum(), shared.mul(5).sum()];
    first.backward(undefined, { retainGraph: true });
    first.backward();
    expect(() => first.backward()).toThrow('goes through a graph once');
    expect(() => second.backward()).toThrow('a second pass through mul');
    await on.expectValues(gradientOf(x), [1], [24]);
  });

  test('a refused backward() leaves no gradient behind', async () => {
    const x = leaf([2]);
    const loss = x.mul(x).sum();
    loss.backward();
    expect(() => loss.backward()).toThrow();
    await on.expectValues(gradientOf(x), [1], [4]);
  });

  test('only what leads to a leaf is recorded and computed', async () => {
    const [x, data] = [leaf([1, 2]), tensor(on.device, [3, 4])];
    expect(data.mul(2).requiresGrad).toBe(false);
    const loss = x.mul(data.exp()).sum();
    loss.backward();
    expect(data.grad).toBeUndefined();
    await on.expectValues(gradientOf(x), [2], [Math.exp(3), Math.exp(4)]);
  });

  test('detach cuts the history and shares the values', async () => {
    const x = leaf([3]);
    const y = x.mul(2).detach();
    expect([y.requiresGrad, y.isLeaf]).toEqual([false, true]);
    x.mul(y).sum().backward();
    await on.expectValues(gradientOf(x), [1], [6]);
  });

  test('noGrad records nothing, in views too, and ends with the function', () => {
    const x = leaf([1, 2]);
    const [product, view] = noGrad(() => [x.mul(2), x.slice(0, 0, 1)]);
    expect([product?.requiresGrad, view?.requiresGrad, x.mul(2).requiresGrad]).toEqual([false, false, true]);
    expect(() =>
      noGrad(() => {
        throw new Error('inside');
      }),
    ).toThrow('inside');
    expect(x.mul(2).requiresGrad).toBe(true);
  });

  test('noGrad around an async function lasts until its promise settles, also by an error', async () => {
    const x = leaf([1, 2]);
    const result = await noGrad(async () => {
      await x.toArray();
      return x.mul(2);
    });
    expect([result.requiresGrad, x.mul(2).requiresGrad]).toEqual([false, true]);
    const failing = noGrad(async () => {
      await x.toArray();
      throw new Error('inside');
    });
    await expect(failing).rejects.toThrow('inside');
    expect(x.mul(2).requiresGrad).toBe(true);
  });

  test('values that backward() needs may not change before it; others may', async () => {
    const [x, w] = [leaf([1, 2]), leaf([3, 4])];
    const product = x.mul(w).sum();
    noGrad(() => w.write([5, 6]));
    expect(() => product.backward()).toThrow(
      'what mul needs for its gradient stays as it was until backward(), received "a tensor [2] that was changed in place"',
    );
    x.zeroGrad();
    const sum = x.add(w).sum();
    noGrad(() => w.write([7, 8]));
    sum.backward();
    await on.expectValues(gradientOf(x), [2], [1, 1]);
  });

  test('parts of one tensor write one gradient, and what no part reaches is zero', async () => {
    const fused = leaf(someValues(12), [2, 6]);
    const [gate, value] = fused.slice(1, 0, 4).chunk(2, 1);
    gate
      ?.mul(value ?? gate)
      .sum()
      .backward();
    const v = someValues(12);
    const expected = [v[2], v[3], v[0], v[1], 0, 0, v[8], v[9], v[6], v[7], 0, 0].map((one) => one ?? 0);
    await on.expectValues(gradientOf(fused), [2, 6], expected);
  });

  test('a gradient arriving in pieces, whole and repeated adds up in any order', async () => {
    const expected = someValues(6).map((value, i) => (i % 3 > 0 ? 1 : 0) + 2 + 3 + 1 + 4 * value);
    for (const order of [
      [0, 1, 2, 3, 4],
      [4, 3, 2, 1, 0],
      [2, 0, 4, 1, 3],
      [1, 4, 0, 3, 2],
    ]) {
      const x = leaf(someValues(6), [2, 3]);
      const y = x.mul(1);
      const parts = [
        () => y.slice(1, 1, 3).sum(),
        () => y.mul(2).sum(),
        () => y.unsqueeze(0).expand([3, 2, 3]).sum(),
        () =>
          y
            .transpose(0, 1)
            .matmul(ones(on.device, [2, 1]))
            .sum(),
        () => concat([y, y]).pow(2).sum(),
      ];
      const losses = order.map((i) => parts[i]?.() ?? y.sum());
      losses.reduce((sum, loss) => sum.add(loss)).backward();
      await on.expectValues(gradientOf(x), [2, 3], expected);
    }
  });

  test('a long chain is differentiated, and given up, without deep recursion', async () => {
    const x = leaf([1]);
    const chain = (): Tensor => {
      let y = x.mul(1);
      for (let i = 0; i < 3000; i++) y = y.add(x);
      return y;
    };
    chain().backward();
    await on.expectValues(gradientOf(x), [1], [3001]);
    internal(chain).dispose();
  });
});

/** Operations on square matrices; results are square too, so that any order of them fits. */
const moves: readonly ((x: Tensor, y: Tensor) => Tensor)[] = [
  (x, y) => x.add(y),
  (x, y) => x.mul(y),
  (x, y) => x.sub(y.transpose(0, 1)),
  (x, y) => x.matmul(y).mul(0.3),
  (x, y) => x.matmul(y.transpose(0, 1)).tanh(),
  (x, y) => concat([x.slice(0, 0, 1), y.slice(0, 1)]),
  (x, y) =>
    x
      .slice(1, 0, 2)
      .unsqueeze(0)
      .sum(0)
      .matmul(y.slice(0, 0, 2)),
  (x, y) => x.add(y.sum(0)),
  (x, y) => x.softmax().mul(y.mean(1, { keepdim: true })),
  (x, y) => x.select(0, 1).expand([3, 3]).add(y.contiguous()),
  (x) => x.reshape([9]).clone().view([3, 3]).sigmoid(),
];

test('graphs of any shape have the gradients that central differences give', async () => {
  const device = await openReference();
  const step = fc.tuple(fc.nat(moves.length - 1), fc.nat(20), fc.nat(20));
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 9 }), async (recipe) => {
      const leaves = [1, 2].map((seed) => tensor(device, someValues(9, seed), [3, 3], { requiresGrad: true }));
      const run = (...start: Tensor[]): Tensor =>
        internal(() => {
          const known = [...start];
          for (const [move, first, second] of recipe) {
            const [x, y] = [known[first % known.length], known[second % known.length]];
            const result = x === undefined || y === undefined ? undefined : moves[move]?.(x, y);
            if (result !== undefined) known.push(result);
          }
          return known.slice(2).reduce((sum, one) => sum.add(one));
        });
      await gradcheck((x, y) => run(x, y).select(0, 0), leaves);
    }),
    { numRuns: 30 },
  );
});
