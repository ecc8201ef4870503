import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { find } from '../../src/activations/catalogue.js';
import { pad } from '../../src/data/sequences.js';
import { deviationOf, type SchemeName } from '../../src/layers/initialization-schemes.js';
import { Mode } from '../../src/layers/mode.js';
import { BagOfTokens } from '../../src/models/bag-of-tokens.js';
import { mlp, mlpConfig } from '../../src/models/mlp.js';
import { perceptron } from '../../src/models/perceptron.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { binaryCrossEntropy, crossEntropy, huber, meanSquaredError } from '../../src/training/losses.js';
import { initializer, readerOf, valuesOf } from '../layers/support.js';
import { openDevices } from '../support/devices.js';

const losses = { binaryCrossEntropy, crossEntropy, huber, meanSquaredError };

interface LossCase {
  readonly loss: keyof typeof losses;
  /** Lists of numbers stand for tensors. */
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
  readonly parameters: Parameters;
}

type Parameters = Readonly<Record<string, { shape: number[]; data: number[]; gradient: number[] }>>;

interface Golden {
  readonly losses: readonly LossCase[];
  readonly mlp: readonly MlpCase[];
  readonly bag: {
    readonly bags: readonly number[][];
    readonly targets: number[];
    readonly outputs: number[];
    readonly parameters: Parameters;
  };
  readonly perceptrons: readonly {
    readonly x: number[];
    readonly low: number;
    readonly rate: number;
    readonly targets: number[];
    readonly passes: readonly { readonly weight: number[]; readonly bias: number[]; readonly outputs: number[] }[];
  }[];
  readonly initializations: readonly {
    readonly scheme: SchemeName;
    readonly behind: string;
    readonly inputs: number;
    readonly outputs: number;
    readonly deviation: number;
  }[];
}

const golden = JSON.parse(readFileSync(new URL('../golden/losses.json', import.meta.url), 'utf8')) as Golden;
const { reference, others } = await openDevices();
const devices = [reference, ...others].map((device) => [device.description, device] as const);

/** The largest error, as a share of the largest element. */
async function errorOf(found: Tensor | undefined, wanted: readonly number[]): Promise<number> {
  const values = Array.from((await found?.toArray()) ?? []);
  expect(values).toHaveLength(wanted.length);
  return Math.max(...wanted.map((value, i) => Math.abs((values[i] ?? 0) - value))) / Math.max(...wanted.map(Math.abs));
}

describe.each(devices)('as PyTorch gives it, on %s', (_, device) => {
  const tolerance = device === reference ? 1e-7 : 1e-5;

  test.each(golden.losses)('$loss with $options and its gradient', async (one) => {
    const prediction = tensor(device, one.prediction, one.shape, { requiresGrad: true });
    const target =
      one.loss === 'crossEntropy' ? tensor(device, Int32Array.from(one.target)) : tensor(device, one.target, one.shape);
    const options = Object.fromEntries(
      Object.entries(one.options).map(([key, value]) => [key, Array.isArray(value) ? tensor(device, value) : value]),
    );
    const loss = losses[one.loss](prediction, target, options);
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

  test('a bag of tokens as nn.EmbeddingBag and layers behind it, and every gradient', async () => {
    const { bags, targets, outputs, parameters } = golden.bag;
    const shape = mlpConfig({ inputs: 6, hidden: [5], outputs: 3, activation: find('tanh', 'activation') });
    const model = new BagOfTokens(initializer(device), { vocabSize: 11, mlp: shape });
    await model.load(readerOf(new Map(Object.entries(parameters))));
    const { ids, mask, count, length } = pad(bags);
    const masked = tensor(device, mask, [count, length]);
    const logits = model.forward(tensor(device, ids, [count, length]), masked, Mode.evaluation());
    expect(await errorOf(logits, outputs)).toBeLessThan(tolerance);
    crossEntropy(logits, tensor(device, Int32Array.from(targets)), { reduction: 'mean' }).backward();
    for (const { name, tensor: parameter } of model.namedParameters()) {
      expect(await errorOf(parameter.grad, parameters[name]?.gradient ?? [])).toBeLessThan(tolerance);
    }
  });

  test.each(golden.perceptrons)('a perceptron of $low and 1, pass for pass', async ({ low, rate, ...one }) => {
    const unit = perceptron(device, { inputs: 3, outputs: low === 0 ? '0/1' : '-1/1' });
    const x = tensor(device, one.x, [one.x.length / 3, 3]);
    for (const { weight, bias, outputs } of one.passes) {
      unit.learn(x, tensor(device, one.targets), rate);
      expect(await errorOf(unit.weight, weight)).toBeLessThan(tolerance);
      expect((await unit.bias.item()) - (bias[0] ?? Number.NaN)).toBeCloseTo(0, 12);
      expect(await valuesOf(unit.forward(x))).toEqual(outputs);
    }
  });
});

test.each(golden.initializations)('$scheme weights behind $behind have the deviation of torch.nn.init', (one) => {
  const behind = find(one.behind, 'activation');
  expect(deviationOf(one.scheme, { ...one, behind }) / one.deviation).toBeCloseTo(1, 9);
});
