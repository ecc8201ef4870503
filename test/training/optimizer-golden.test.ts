import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.js';
import type { NamedParameter } from '../../src/layers/layer.js';
import { tensor, zeros } from '../../src/tensor/index.js';
import { Optimizer } from '../../src/training/optimizer.js';
import type { UpdateRule } from '../../src/training/update-rule.js';
import { type OptimizerName, updateRules } from '../../src/training/update-rules.js';
import { valuesOf } from '../layers/support.js';
import { openDevices } from '../support/devices.js';

type Numbers = Readonly<Record<string, number[]>>;
const golden = JSON.parse(readFileSync(new URL('../golden/optimizers.json', import.meta.url), 'utf8')) as {
  readonly shapes: Readonly<Record<string, number[]>>;
  readonly rates: readonly number[];
  readonly start: Numbers;
  readonly gradients: readonly Numbers[];
  readonly cases: readonly {
    readonly optimizer: OptimizerName;
    readonly options: Readonly<Record<string, number | boolean>>;
    /** After the first step and after the last. */
    readonly after: readonly [Numbers, Numbers];
    readonly state: Numbers;
  }[];
};
const names = Object.keys(golden.shapes);
const { reference, others } = await openDevices();
const devices = [reference, ...others].map((device) => [`${device.description}`, device] as const);

const parametersOn = (device: Device): NamedParameter[] =>
  names.map((name) => {
    const parameter = tensor(device, golden.start[name] ?? [], golden.shapes[name], { requiresGrad: true }).keep();
    return { name, tensor: parameter, decay: name === 'matrix' };
  });

/** Gives the parameters these gradients. */
function backward(parameters: readonly NamedParameter[], gradients: Numbers) {
  const [first] = parameters;
  const device = first?.tensor.device as Device;
  const losses = parameters.map(({ name, tensor: parameter }) =>
    parameter.mul(tensor(device, gradients[name] ?? [], parameter.shape)).sum(),
  );
  const loss = losses.reduce((sum, own) => sum.add(own), zeros(device, []));
  loss.backward();
  return loss.detach();
}

/** The largest error of any number, as a share of its tensor's largest. */
async function worst(wanted: Numbers, found: (name: string) => Promise<number[]>): Promise<number> {
  const errors = Object.entries(wanted).map(async ([name, values]) => {
    const own = await found(name);
    expect(own).toHaveLength(values.length);
    const largest = Math.max(...values.map(Math.abs));
    return Math.max(...values.map((value, i) => Math.abs(value - (own[i] ?? Number.NaN)))) / largest;
  });
  return Math.max(...(await Promise.all(errors)));
}

describe.each(devices)('ten steps are those of PyTorch, on %s', (_, device) => {
  const tolerance = device.name === 'reference' ? 1e-12 : 5e-6;

  test.each(golden.cases)('$optimizer with $options, and what it remembers', async (one) => {
    const make: (options: object) => UpdateRule = updateRules[one.optimizer];
    const parameters = parametersOn(device);
    const optimizer = new Optimizer(device, parameters, make(one.options));
    const weights = (name: string) =>
      valuesOf(parameters.find((parameter) => parameter.name === name)?.tensor ?? zeros(device, [0]));
    for (const [step, rate] of golden.rates.entries()) {
      optimizer.zeroGrad();
      optimizer.step(rate, backward(parameters, golden.gradients[step] ?? {}));
      if (step === 0) expect(await worst(one.after[0], weights)).toBeLessThan(tolerance);
    }
    expect(await worst(one.after[1], weights)).toBeLessThan(tolerance);
    const state = optimizer.state();
    expect([...state.keys()].filter((name) => name !== 'step').sort()).toEqual(Object.keys(one.state).sort());
    const remembered = await worst(one.state, (name) => valuesOf(state.get(name) ?? zeros(device, [0])));
    expect(remembered).toBeLessThan(tolerance);
    optimizer.dispose();
  });
});
