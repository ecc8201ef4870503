import { afterAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import type { NamedParameter } from '../../src/layers/layer.js';
import { type Tensor, tensor, zeros } from '../../src/tensor/index.js';
import { Optimizer } from '../../src/training/optimizer.js';
import { adam, adamw, rmsprop, sgd } from '../../src/training/update-rules.js';
import { normal, valuesOf } from '../layers/support.js';

const devices: readonly (readonly [string, Device, number])[] = [
  ['reference', await openReference(), 1e-13],
  ['wasm', await openWasm({ threads: 2 }), 2e-6],
];
afterAll(() => Promise.all(devices.map(([, device]) => device.close())));

const shapes: readonly (readonly [name: string, shape: readonly number[], decay: boolean])[] = [
  ['matrix', [5, 3], true],
  ['norm', [7], false],
  ['unused', [2], true],
];
const parametersOn = (device: Device): NamedParameter[] =>
  shapes.map(([name, shape, decay], i) => {
    const parameter = normal(device, shape, 20 + i).keep();
    parameter.requiresGrad = true;
    return { name, tensor: parameter, decay };
  });

/** Gives the parameters these gradients; what has none is left without. */
function backward(parameters: readonly NamedParameter[], gradients: readonly (Tensor | undefined)[]): Tensor {
  let total = zeros(parameters[0]?.tensor.device as Device, []);
  parameters.forEach(({ tensor: parameter }, i) => {
    const gradient = gradients[i];
    if (gradient !== undefined) total = total.add(parameter.mul(gradient).sum());
  });
  total.backward();
  return total.detach();
}

const gradientAt = (device: Device, step: number, shape: readonly number[], seed: number): Tensor =>
  // Some steps are clipped and others not.
  normal(device, shape, 100 * seed + step, step % 3 === 0 ? 3 : 0.05);

describe.each(devices)('on %s', (_, device, tolerance) => {
  test('ten steps are those of a plain AdamW in float64: clipping, correction, decay where it belongs', async () => {
    const options = { beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, clip: 1 };
    const parameters = parametersOn(device);
    const optimizer = new Optimizer(device, parameters, adamw(options));
    const plain = await Promise.all(parameters.map(async ({ tensor: parameter }) => valuesOf(parameter)));
    const [first, second] = [plain.map((values) => values.map(() => 0)), plain.map((values) => values.map(() => 0))];
    let clipped = 0;
    for (let step = 1; step <= 10; step++) {
      const lr = 0.02 / step;
      optimizer.zeroGrad();
      const gradients = shapes.map(([name, shape], i) =>
        name === 'unused' ? undefined : gradientAt(device, step, shape, i),
      );
      const numbers = await Promise.all(
        gradients.map(async (gradient) => (gradient === undefined ? [] : valuesOf(gradient))),
      );
      optimizer.step(lr, backward(parameters, gradients));
      const norm = Math.sqrt(numbers.flat().reduce((sum, g) => sum + g * g, 0));
      const share = Math.min(1, 1 / (norm + 1e-6));
      if (norm > 1) clipped++;
      expect((await optimizer.gradientNorm.item()) / norm).toBeCloseTo(1, 5);
      numbers.forEach((gradient, i) => {
        gradient.forEach((g, j) => {
          const [m, v] = [first[i] ?? [], second[i] ?? []];
          m[j] = 0.9 * (m[j] ?? 0) + 0.1 * share * g;
          v[j] = 0.95 * (v[j] ?? 0) + 0.05 * (share * g) ** 2;
          const direction = (m[j] ?? 0) / (1 - 0.9 ** step) / (Math.sqrt((v[j] ?? 0) / (1 - 0.95 ** step)) + 1e-8);
          const weights = plain[i] ?? [];
          const decay = shapes[i]?.[2] === true ? 0.1 : 0;
          weights[j] = (weights[j] ?? 0) - lr * (direction + decay * (weights[j] ?? 0));
        });
      });
    }
    expect(clipped).toBeGreaterThan(2);
    expect(clipped).toBeLessThan(8);
    for (const [i, { tensor: parameter }] of parameters.entries()) {
      (await valuesOf(parameter)).forEach((value, j) => {
        const wanted = plain[i]?.[j] ?? 0;
        expect(Math.abs(value - wanted)).toBeLessThanOrEqual(tolerance * Math.max(1, Math.abs(wanted)));
      });
    }
    expect(await optimizer.applied.item()).toBe(10);
  });

  test('a parameter that a step does not reach is left as it is, and its old gradient does not count', async () => {
    const parameters = parametersOn(device);
    const optimizer = new Optimizer(device, parameters);
    const [large, small] = [
      tensor(
        device,
        Array.from({ length: 15 }, () => 100),
        [5, 3],
      ),
      tensor(
        device,
        Array.from({ length: 7 }, () => 0.1),
      ),
    ];
    optimizer.step(0.1, backward(parameters, [large, small, undefined]));
    const before = await Promise.all(parameters.map(({ tensor: parameter }) => valuesOf(parameter)));
    optimizer.zeroGrad();
    optimizer.step(0.1, backward(parameters, [undefined, small, undefined]));
    expect(await optimizer.gradientNorm.item()).toBeCloseTo(0.1 * Math.sqrt(7), 6);
    const after = await Promise.all(parameters.map(({ tensor: parameter }) => valuesOf(parameter)));
    expect([after[0], after[2]]).toEqual([before[0], before[2]]);
    expect(after[1]).not.toEqual(before[1]);
  });

  test.each([
    ['a NaN in the gradient', (values: number[]) => values.with(3, Number.NaN), 1],
    ['an infinity in the gradient', (values: number[]) => values.with(0, Number.NEGATIVE_INFINITY), 1],
    ['a loss that is NaN', (values: number[]) => values, Number.NaN],
    ['a loss that is infinite', (values: number[]) => values, Number.POSITIVE_INFINITY],
  ])('%s leaves every bit as it was, the count too', async (__, change, loss) => {
    const parameters = parametersOn(device);
    const optimizer = new Optimizer(device, parameters);
    const gradients = shapes.map(([, shape], i) => gradientAt(device, 1, shape, i).keep());
    optimizer.step(0.1, backward(parameters, gradients));
    const everything = async (): Promise<unknown> => [
      await Promise.all(parameters.map(({ tensor: parameter }) => valuesOf(parameter))),
      await Promise.all([...optimizer.state()].map(async ([name, state]) => [name, await valuesOf(state)])),
    ];
    const before = await everything();
    optimizer.zeroGrad();
    const bad = tensor(device, change(await valuesOf(gradients[0] as Tensor)), [5, 3]);
    backward(parameters, [bad, gradients[1], gradients[2]]);
    optimizer.step(0.1, tensor(device, [loss]));
    expect(await everything()).toEqual(before);
    expect(await optimizer.applied.item()).toBe(1);
    optimizer.zeroGrad();
    optimizer.step(0.1, backward(parameters, gradients));
    expect(await optimizer.applied.item()).toBe(2);
    expect(await everything()).not.toEqual(before);
  });

  test('without clipping a large gradient passes whole', async () => {
    const parameters = parametersOn(device);
    const optimizer = new Optimizer(device, parameters, adamw({ clip: 0, beta1: 0, beta2: 0, weightDecay: 0 }));
    const gradient = tensor(
      device,
      Array.from({ length: 15 }, (_x, i) => 1e4 * (i + 1)),
      [5, 3],
    );
    optimizer.step(0.1, backward(parameters, [gradient, undefined, undefined]));
    const second = await valuesOf(optimizer.state().get('exp_avg_sq.matrix') as Tensor);
    expect((second[14] ?? 0) / 2.25e10).toBeCloseTo(1, 5);
  });
});

describe('the optimizer', () => {
  const [, device] = devices[0] ?? [];
  if (device === undefined) throw new Error('the reference is open');

  test.each([
    { beta1: -0.1 },
    { weightDecay: -1 },
    { clip: Number.NaN },
    { epsilon: Number.POSITIVE_INFINITY },
  ])('refuses %o', (options) => {
    expect(() => adamw(options)).toThrow(/is a number of at least 0/);
  });

  test.each<[string, () => unknown, RegExp]>([
    ['a share of 1', () => rmsprop({ alpha: 1 }), /RMSProp's alpha is below 1, received 1\. Leave it out for 0\.99/],
    ['a number for a flag', () => adam({ amsgrad: 1 as never }), /Adam's amsgrad is true or false, received 1/],
    ['nesterov alone', () => sgd({ nesterov: true }), /nesterov goes with a momentum.*sgd\(\{ momentum: 0\.9/],
    [
      'options in place of a rule',
      () => new Optimizer(device, parametersOn(device), { weightDecay: 0 } as never),
      /an optimizer has an update rule, received.*adamw\(\{ weightDecay: 0\.1 \}\)/,
    ],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(message);
  });

  test('refuses a learning rate below 0', () => {
    const optimizer = new Optimizer(device, parametersOn(device));
    expect(() => optimizer.step(-1, tensor(device, [1]))).toThrow(/learning rate is at least 0, received -1/);
  });

  test('names its state after the parameters', () => {
    expect([...new Optimizer(device, parametersOn(device)).state().keys()]).toEqual([
      'step',
      ...['matrix', 'norm', 'unused'].flatMap((name) => [`exp_avg.${name}`, `exp_avg_sq.${name}`]),
    ]);
  });
});
