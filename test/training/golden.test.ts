import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, test } from 'vitest';
import { find } from '../../src/activations/catalogue.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { Mode } from '../../src/layers/mode.js';
import { mlp } from '../../src/models/mlp.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { binaryCrossEntropy, crossEntropy, huber, meanSquaredError } from '../../src/training/losses.js';
import { readerOf } from '../layers/support.js';

const losses = { binaryCrossEntropy, crossEntropy, huber, meanSquaredError };

interface LossCase {
  readonly loss: keyof typeof losses;
  readonly options: Readonly<Record<string, unknown>>;
  readonly shape: number[];
  readonly prediction: number[];
  readonly target: number[];
  readonly value: number[];
  readonly gradient: number[];
}

interface MlpCase {
  readonly activation: string;
  readonly widths: readonly number[];
  readonly x: number[];
  readonly targets: number[];
  readonly outputs: number[];
  readonly parameters: Readonly<Record<string, { shape: number[]; data: number[]; gradient: number[] }>>;
}

const golden = JSON.parse(readFileSync(new URL('../golden/losses.json', import.meta.url), 'utf8')) as {
  readonly losses: readonly LossCase[];
  readonly mlp: readonly MlpCase[];
};
const [reference, wasm] = [await openReference(), await openWasm({ threads: 1 })];
afterAll(() => wasm.close());

/** The largest error, as a share of the largest element. */
async function errorOf(found: Tensor | undefined, wanted: readonly number[]): Promise<number> {
  const values = Array.from((await found?.toArray()) ?? []);
  expect(values).toHaveLength(wanted.length);
  return Math.max(...wanted.map((value, i) => Math.abs((values[i] ?? 0) - value))) / Math.max(...wanted.map(Math.abs));
}

describe.each([
  [reference, 1e-7],
  [wasm, 1e-5],
] as const)('as PyTorch gives it, on $name', (device, tolerance) => {
  test.each(golden.losses)('$loss with $options and its gradient', async (one) => {
    const prediction = tensor(device, one.prediction, one.shape, { requiresGrad: true });
    const target =
      one.loss === 'crossEntropy' ? tensor(device, Int32Array.from(one.target)) : tensor(device, one.target, one.shape);
    const loss = losses[one.loss](prediction, target, one.options);
    expect(await errorOf(loss, one.value)).toBeLessThan(tolerance);
    loss.sum().backward();
    expect(await errorOf(prediction.grad, one.gradient)).toBeLessThan(tolerance);
  });

  test.each(golden.mlp)('an MLP with $activation, weight for weight, and every gradient', async (one) => {
    const [inputs = 0, ...hidden] = one.widths;
    const outputs = hidden.pop() ?? 0;
    const model = mlp(device, { inputs, hidden, outputs, activation: find(one.activation, 'activation') });
    await model.load(readerOf(new Map(Object.entries(one.parameters))));
    const logits = model.forward(tensor(device, one.x, [6, inputs]), Mode.evaluation());
    expect(await errorOf(logits, one.outputs)).toBeLessThan(tolerance);
    crossEntropy(logits, tensor(device, Int32Array.from(one.targets)), { reduction: 'mean' }).backward();
    for (const { name, tensor: parameter } of model.namedParameters()) {
      expect(await errorOf(parameter.grad, one.parameters[name]?.gradient ?? [])).toBeLessThan(tolerance);
    }
  });
});
