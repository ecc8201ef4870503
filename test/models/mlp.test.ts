import { describe, expect, test } from 'vitest';
import { relu, selu, sigmoid, tanh } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { Mode } from '../../src/layers/mode.js';
import { mlp } from '../../src/models/mlp.js';
import { gradcheck, ones, tensor } from '../../src/tensor/index.js';
import { meanSquaredError } from '../../src/training/losses.js';
import { normal, valuesOf } from '../layers/support.js';

const device = await openReference();

describe('an MLP', () => {
  test('is products with an activation between, under the names of a ModuleList', async () => {
    const model = mlp(device, { inputs: 2, hidden: [3], outputs: 1, activation: sigmoid });
    expect(model.namedParameters().map(({ name, tensor: { shape } }) => [name, shape])).toEqual([
      ['layers.0.weight', [3, 2]],
      ['layers.0.bias', [3]],
      ['layers.1.weight', [1, 3]],
      ['layers.1.bias', [1]],
    ]);
    const [w0, b0, w1, b1] = model.parameters();
    w0?.write([1, 2, -1, 0.5, 0, 3]);
    b0?.write([0.1, -0.2, 0.3]);
    w1?.write([2, -1, 0.5]);
    b1?.write([0.25]);
    const sigma = (z: number): number => 1 / (1 + Math.exp(-z));
    const [y] = await valuesOf(model.forward(tensor(device, [0.5, -1], [1, 2]), Mode.evaluation()));
    const fround = Math.fround;
    const wanted =
      2 * sigma(0.5 - 2 + fround(0.1)) - sigma(-0.5 - 0.5 - fround(0.2)) + 0.5 * sigma(-3 + fround(0.3)) + 0.25;
    expect(y).toBeCloseTo(wanted, 7);
  });

  test('has the gradients of central differences', async () => {
    const model = mlp(device, { inputs: 2, hidden: [3, 4], outputs: 2, activation: tanh });
    const x = normal(device, [5, 2]);
    const target = normal(device, [5, 2], 2);
    await gradcheck(
      () => meanSquaredError(model.forward(x, Mode.evaluation()), target, { reduction: 'sum' }),
      model.parameters(),
    );
  });

  test('without hidden layers is one linear map', () => {
    expect(mlp(device, { inputs: 4, hidden: [], outputs: 3 }).parameterCount).toBe(15);
  });

  test('drops hidden units in training alone, and with SELU so that mean and variance stay', async () => {
    const x = ones(device, [1, 4]);
    const model = mlp(device, { inputs: 4, hidden: [64], outputs: 2, activation: relu, dropout: 0.5 });
    const [still, again] = [model.forward(x, Mode.evaluation()), model.forward(x, Mode.evaluation())];
    expect(await valuesOf(still)).toEqual(await valuesOf(again));
    expect(await valuesOf(model.forward(x, Mode.training(1, 1)))).not.toEqual(await valuesOf(still));
    const self = mlp(device, { inputs: 1, hidden: [2], outputs: 2, activation: selu, dropout: 0.2 });
    // Units dropped to 0 leave the bias; alpha dropout puts them at SELU's floor instead.
    const [, , weight, bias] = self.parameters();
    weight?.write([1, 0, 0, 1]);
    bias?.write([0, 0]);
    const outputs = new Set<number>();
    for (let step = 0; step < 20; step++) {
      for (const value of await valuesOf(self.forward(ones(device, [1, 1]), Mode.training(1, step))))
        outputs.add(value);
    }
    expect([...outputs].some((value) => Math.abs(value) < 1e-9)).toBe(false);
    expect(Math.min(...outputs)).toBeLessThan(-1);
  });

  test.each([
    [{ inputs: 0, outputs: 1 }, /whole numbers from 1 on, received 0/],
    [{ inputs: 2, outputs: 1, hidden: [4, 2.5] }, /received 2.5/],
  ])('refuses %j', (options, message) => {
    expect(() => mlp(device, options)).toThrow(message);
  });

  test('names the width that it takes', () => {
    const model = mlp(device, { inputs: 2, outputs: 1 });
    expect(() => model.forward(ones(device, [3, 4]), Mode.evaluation())).toThrow(/an MLP of weight \[32, 2\]/);
  });
});
