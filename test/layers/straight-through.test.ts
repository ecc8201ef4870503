import { afterAll, describe, expect, test } from 'vitest';
import { hardTanh, prelu, sign, step, tanh } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { Mode } from '../../src/layers/mode.js';
import { StraightThrough } from '../../src/layers/straight-through.js';
import { tensor } from '../../src/tensor/index.js';
import { valuesOf } from './support.js';

const [device, wasm] = [await openReference(), await openWasm({ threads: 1 })];
afterAll(() => wasm.close());
const values = [-30, -1.5, -0.3, 0, 0.3, 1.5, 30];

describe('a straight-through estimator', () => {
  test.each([
    device,
    wasm,
  ])('is one activation going forward, exactly, and the derivative of the other going back, on $name', async (on) => {
    for (const [forward, value] of [
      [step, (x: number) => (x < 0 ? 0 : 1)],
      [sign, (x: number) => (x < 0 ? -1 : 1)],
    ] as const) {
      const x = tensor(on, values, undefined, { requiresGrad: true });
      const y = new StraightThrough(forward, tanh).forward(Mode.evaluation(), x);
      expect(await valuesOf(y)).toEqual(values.map(value));
      y.sum().backward();
      const plain = tensor(on, values, undefined, { requiresGrad: true });
      plain.map(tanh).sum().backward();
      expect(Array.from((await x.grad?.toArray()) ?? [])).toEqual(Array.from((await plain.grad?.toArray()) ?? []));
    }
  });

  test('stops the gradient where the other does', async () => {
    const x = tensor(device, values, undefined, { requiresGrad: true });
    new StraightThrough(step, hardTanh).forward(Mode.evaluation(), x).sum().backward();
    expect(Array.from((await x.grad?.toArray()) ?? [])).toEqual([0, 0, 1, 1, 1, 0, 0]);
  });

  test('refuses learned parameters', () => {
    expect(() => new StraightThrough(step, prelu)).toThrow(/without learned parameters and noise, received "prelu"/);
  });
});
