/** What docs/inspection.md says of deep networks and of ReLUs that die, on smaller ones. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { elu, gelu, leakyRelu, relu, sigmoid, tanh } from '../../src/activations/index.js';
import type { Activation } from '../../src/activations/kinds.js';
import { randomKey } from '../../src/base/random.js';
import { selectExamples } from '../../src/data/examples.js';
import { drawPoints, toyTasks } from '../../src/data/toy-tasks.js';
import type { Device } from '../../src/devices/device.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { Mode } from '../../src/layers/mode.js';
import { type Mlp, mlp } from '../../src/models/mlp.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { ExampleTrainer } from '../../src/training/example-trainer.js';
import { findingsOf } from '../../src/training/inspection/findings.js';
import { type Inspection, inspect } from '../../src/training/inspection/inspect.js';
import { crossEntropy } from '../../src/training/losses.js';

let device: Device;
beforeAll(async () => {
  device = await openWasm({ threads: 1 });
});
afterAll(() => device.close());

const points = drawPoints(toyTasks.rings, 200, randomKey(3, 'noise'));
const all = Int32Array.from({ length: 200 }, (_, i) => i);

/** The losses of some of the points, added up. */
function lossOf(model: Mlp, indices: Int32Array, mode: Mode): Tensor {
  const { inputs, targets, count } = selectExamples(points, indices);
  const outputs = model.forward(tensor(device, inputs, [count, 2]), mode);
  return crossEntropy(outputs, tensor(device, Int32Array.from(targets)), { reduction: 'sum' });
}

const look = (model: Mlp): Promise<Inspection> => inspect(model, () => lossOf(model, all, Mode.evaluation()).div(200));
const kinds = (inspection: Inspection): string[] => findingsOf(inspection).map(({ kind }) => kind);

describe('a network of twenty layers', () => {
  const deep = (activation: Activation, initialization?: 'naive'): Mlp => {
    const shape = { inputs: 2, hidden: Array<number>(20).fill(48), outputs: 2, activation, seed: 5 };
    return mlp(device, initialization === undefined ? shape : { ...shape, initialization });
  };
  /** From the last hidden layer to the first. */
  const shrinkage = ({ layers }: Inspection): number => {
    const norm = (name: string): number => layers.find((layer) => layer.name === name)?.gradientNorm ?? Number.NaN;
    return norm('layers.0') / norm('layers.19');
  };

  test.each([sigmoid, tanh, relu, elu, gelu])('of $name vanishes with naive weights', async (activation) => {
    const inspection = await look(deep(activation, 'naive'));
    expect(shrinkage(inspection)).toBeLessThan(1e-12);
    expect(shrinkage(inspection)).toBeGreaterThan(0); // squares of such norms are 0 in float32
    expect(kinds(inspection)).toEqual(expect.arrayContaining(['vanishing', 'blind']));
  });

  test.each([tanh, relu, elu, gelu])('of $name does not with weights that suit it', async (activation) => {
    const inspection = await look(deep(activation));
    expect(shrinkage(inspection)).toBeGreaterThan(1e-3);
    expect(shrinkage(inspection)).toBeLessThan(1e3);
    expect(kinds(inspection)).not.toContain('vanishing');
  });

  test('of sigmoids vanishes even so', async () => {
    const inspection = await look(deep(sigmoid));
    expect(shrinkage(inspection)).toBeLessThan(1e-5);
    expect(kinds(inspection)).toEqual(expect.arrayContaining(['vanishing', 'blind']));
  });
});

describe('a learning rate that is too large', () => {
  const deadAfter = async (activation: Activation, rate: number): Promise<number> => {
    const model = mlp(device, { inputs: 2, hidden: [32, 32, 32], outputs: 2, activation, seed: 5 });
    const objective = { model, count: 200, loss: (indices: Int32Array, mode: Mode) => lossOf(model, indices, mode) };
    const trainer = new ExampleTrainer(device, objective, { batch: 32, seed: 1 });
    for (let step = 0; step < 60; step++) await trainer.step(rate);
    const { layers } = await look(model);
    const shares = layers.filter(({ isActivation }) => isActivation).map(({ dead }) => dead);
    return shares.reduce((sum, share) => sum + share, 0) / shares.length;
  };

  test('kills ReLUs, and no LeakyReLUs', async () => {
    expect(await deadAfter(relu, 1)).toBeGreaterThan(0.6);
    expect(await deadAfter(relu, 0.003)).toBeLessThan(0.25);
    expect(await deadAfter(leakyRelu, 1)).toBe(0);
  });
});
