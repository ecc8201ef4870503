import { afterAll, describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { gradcheck, internal, type Tensor, tensor } from '../../src/tensor/index.js';
import { crossEntropy, scaledCrossEntropy } from '../../src/training/losses.js';
import { normal, rowsOf, valuesOf } from '../layers/support.js';

const [device, wasm] = [await openReference(), await openWasm({ threads: 1 })];
afterAll(() => wasm.close());
const targets = (...ids: number[]): Tensor => tensor(device, Int32Array.from(ids));

describe('cross-entropy', () => {
  test('is -log softmax at the target', async () => {
    const logits = normal(device, [2, 2, 5], 1, 3);
    const ids = [3, 0, 4, 1];
    const loss = crossEntropy(logits, tensor(device, Int32Array.from(ids), [2, 2]));
    expect(loss.shape).toEqual([2, 2]);
    const rows = rowsOf(await valuesOf(logits), 5);
    (await valuesOf(loss)).forEach((value, i) => {
      const weights = (rows[i] ?? []).map(Math.exp);
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      expect(value).toBeCloseTo(-Math.log((weights[ids[i] ?? 0] ?? 0) / total), 13);
    });
  });

  test('of equal logits is log of the number of classes', async () => {
    const [value = 0] = await valuesOf(crossEntropy(tensor(device, [2, 2, 2, 2], [1, 4]), targets(1)));
    expect(value).toBeCloseTo(Math.log(4), 14);
  });

  test('stays finite for logits beyond the range of exp', async () => {
    const logits = tensor(device, [1000, -1000, 0, -1e4, 0, 5000], [2, 3]);
    expect(await valuesOf(crossEntropy(logits, targets(1, 2)))).toEqual([2000, 0]);
  });

  test.each([device, wasm])('keeps the digits of a nearly certain row and of its gradient, on $name', async (on) => {
    const logits = tensor(on, [30, -20, 3, 3], [2, 2], { requiresGrad: true });
    const loss = crossEntropy(logits, tensor(on, Int32Array.of(0, 1)));
    const [certain = 0, even = 0] = await valuesOf(loss);
    expect(certain / Math.exp(-50)).toBeCloseTo(1, 6);
    expect(even).toBeCloseTo(Math.LN2, 6);
    loss.sum().backward();
    const [first = 0, second = 0, ...others] = Array.from((await logits.grad?.toArray()) ?? []);
    expect(first / -Math.exp(-50)).toBeCloseTo(1, 6);
    expect(second / Math.exp(-50)).toBeCloseTo(1, 6);
    expect(others).toEqual([0.5, -0.5]);
  });

  test('ignores -100: neither value nor gradient', async () => {
    const logits = normal(device, [3, 4]);
    logits.requiresGrad = true;
    const loss = crossEntropy(logits, targets(2, -100, 0));
    expect((await valuesOf(loss))[1]).toBe(0);
    loss.sum().backward();
    const gradient = rowsOf(Array.from((await logits.grad?.toArray()) ?? []), 4);
    expect(gradient[1]?.map(Math.abs)).toEqual([0, 0, 0, 0]);
    for (const row of [0, 2]) expect(gradient[row]?.every((value) => value !== 0)).toBe(true);
  });

  test('has the gradients of central differences', async () => {
    const logits = normal(device, [3, 4]);
    logits.requiresGrad = true;
    await gradcheck((t) => crossEntropy(t, targets(3, -100, 1)), [logits]);
  });

  test('of logits that are not finite is not finite', async () => {
    const logits = tensor(device, [Number.NaN, 1, Number.POSITIVE_INFINITY, 1], [2, 2]);
    for (const value of await valuesOf(crossEntropy(logits, targets(1, 1)))) expect(value).not.toBeLessThan(1e30);
  });
});

describe.each([device, wasm])('the scaled cross-entropy of a training step on $name', (on) => {
  const ids = [3, -100, 4, 1];
  const shape = [2, 2, 5];
  const targetsOn = (): Tensor => tensor(on, Int32Array.from(ids), [2, 2]);
  const leaf = (): Tensor => {
    const x = normal(on, shape, 1, 3);
    x.requiresGrad = true;
    return x;
  };
  const gradientOf = async ({ grad }: Tensor): Promise<number[]> => (grad === undefined ? [] : valuesOf(grad));
  const near = (actual: readonly number[], expected: readonly number[]): void =>
    actual.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] ?? Number.NaN, 6);
    });
  const plain = (x: Tensor): Tensor => crossEntropy(x.mul(2), targetsOn()).sum().mul(0.25);
  const eager = (x: Tensor): Tensor => internal(() => scaledCrossEntropy(x.mul(2), targetsOn(), 0.25));

  test('is the sum times the scale, with its gradient', async () => {
    const [x, y] = [leaf(), leaf()];
    const [loss, expected] = [eager(x), plain(y)];
    expect(await loss.item()).toBeCloseTo(await expected.item(), 5);
    loss.backward();
    expected.backward();
    near(await gradientOf(x), await gradientOf(y));
  });

  test('takes the gradient it is given, again where the graph is kept', async () => {
    const [x, y] = [leaf(), leaf()];
    const [loss, expected] = [eager(x), plain(y).mul(6)];
    loss.mul(2).backward(undefined, { retainGraph: true });
    loss.backward(tensor(on, [3], []), { retainGraph: true });
    loss.backward();
    expected.backward();
    near(await gradientOf(x), await gradientOf(y));
  });

  test('leaves logits alone that somebody else looks at', async () => {
    const x = leaf();
    const logits = x.mul(2);
    const view = logits.view([4, 5]);
    const before = await valuesOf(view);
    scaledCrossEntropy(logits, targetsOn(), 0.25).backward();
    expect(await valuesOf(view)).toEqual(before);
    const held = leaf();
    const own = await valuesOf(held);
    scaledCrossEntropy(held, targetsOn(), 0.25).backward();
    expect(await valuesOf(held)).toEqual(own);
  });

  test('refuses targets of another shape', () => {
    const flat = tensor(on, Int32Array.from(ids));
    expect(() => internal(() => scaledCrossEntropy(leaf().mul(2), flat, 1))).toThrow(/takes targets as \[2, 2\]/);
  });
});
