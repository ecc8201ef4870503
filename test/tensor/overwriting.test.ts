import { expect, test } from 'vitest';
import type { DeviceBuffer, StorageType } from '../../src/devices/device.js';
import { variables } from '../../src/scalar/expression.js';
import { internal, mapTensors, type Tensor, tensor } from '../../src/tensor/index.js';
import { onDevices, someValues } from './devices.js';

onDevices((on) => {
  const size = 40;
  const leaf = (seed = 1): Tensor => tensor(on.device, someValues(size, seed), [size], { requiresGrad: true });
  const gradientOf = async (x: Tensor): Promise<number[]> => [...((await x.grad?.toArray()) ?? [])];

  /** sum((tanh x)^2 exp(tanh x)) with the values of tanh x in the graph alone, or held. */
  const run = (x: Tensor, hold: boolean): { loss: Tensor; middle: Tensor | undefined } => {
    let middle: Tensor | undefined;
    const loss = internal(() => {
      const t = x.tanh();
      if (hold) middle = t.keep();
      return t.mul(t).mul(t.exp()).sum();
    });
    return { loss, middle };
  };

  test('a gradient may take the memory of values that only the graph holds, and is the same', async () => {
    const [x, y] = [leaf(), leaf()];
    run(x, false).loss.backward();
    run(y, true).loss.backward();
    expect(await gradientOf(x)).toEqual(await gradientOf(y));
  });

  test('values that somebody holds are as they were after backward()', async () => {
    const x = leaf();
    const { loss, middle } = run(x, true);
    const before = [...((await middle?.toArray()) ?? [])];
    loss.backward();
    expect([...((await middle?.toArray()) ?? [])]).toEqual(before);
    middle?.dispose();
  });

  test('a graph that is kept gives the same gradient again', async () => {
    const x = leaf();
    const { loss } = run(x, false);
    loss.backward(undefined, { retainGraph: true });
    const once = await gradientOf(x);
    x.zeroGrad();
    loss.backward();
    expect(await gradientOf(x)).toEqual(once);
  });

  test('two views of one memory that overlap are not written over each other', async () => {
    const [x, y] = [leaf(), leaf()];
    const crossed = (t: Tensor): Tensor =>
      t
        .view([5, 8])
        .slice(1, 0, 5)
        .mul(t.view([5, 8]).slice(1, 3, 8))
        .sum();
    internal(() => crossed(x.tanh())).backward();
    const held = y.tanh();
    crossed(held).backward();
    expect(await gradientOf(x)).toEqual(await gradientOf(y));
    const square = (t: Tensor): Tensor =>
      t
        .slice(0, 0, 36)
        .view([6, 6])
        .mul(t.slice(0, 0, 36).view([6, 6]).transpose(0, 1))
        .sum();
    const [z, w] = [leaf(2), leaf(2)];
    internal(() => square(z.tanh())).backward();
    const kept = w.tanh();
    square(kept).backward();
    expect(await gradientOf(z)).toEqual(await gradientOf(w));
  });

  test('both halves of one memory take their gradients in place', () => {
    const x = leaf();
    const [gate, value] = variables('gate', 'value');
    const loss = internal(() => {
      const [a, b] = x.exp().chunk(2) as [Tensor, Tensor];
      return mapTensors([gate.sigmoid().mul(value)], { gate: a, value: b })[0].sum();
    });
    const lengths: number[] = [];
    const { allocate } = on.device;
    const noted = (type: StorageType, length: number): DeviceBuffer => {
      lengths.push(length);
      return allocate.call(on.device, type, length);
    };
    Object.defineProperty(on.device, 'allocate', { value: noted, configurable: true });
    try {
      loss.backward();
    } finally {
      Reflect.deleteProperty(on.device, 'allocate');
    }
    // Of the loss, of the gate's result, and of x: exp(x) gives its memory to its gradient.
    expect(lengths).toEqual([1, size / 2, size]);
  });
});
