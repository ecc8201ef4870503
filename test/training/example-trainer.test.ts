import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import { type Examples, selectExamples } from '../../src/data/examples.js';
import { drawPoints, toyTasks } from '../../src/data/toy-tasks.js';
import { openReference } from '../../src/devices/reference/index.js';
import { type Mlp, mlp } from '../../src/models/mlp.js';
import { perceptron } from '../../src/models/perceptron.js';
import { tensor } from '../../src/tensor/index.js';
import { ExampleTrainer, type ExampleTrainerOptions, type Objective } from '../../src/training/example-trainer.js';
import { crossEntropy } from '../../src/training/losses.js';
import { PerceptronTrainer } from '../../src/training/perceptron-trainer.js';
import { valuesOf } from '../layers/support.js';

const device = await openReference();
const points = drawPoints(toyTasks.moons, 40, randomKey(1, 'noise'));

const objectiveOf = (model: Mlp, examples: Examples, seen: number[] = []): Objective => ({
  model,
  count: examples.count,
  loss: (indices, mode) => {
    seen.push(...indices);
    const { count, width, inputs, targets } = selectExamples(examples, indices);
    const logits = model.forward(tensor(device, inputs, [count, width]), mode);
    return crossEntropy(logits, tensor(device, Int32Array.from(targets)), { reduction: 'sum' });
  },
});

const trainerOf = (options: ExampleTrainerOptions, seen: number[] = [], done = 0): ExampleTrainer =>
  new ExampleTrainer(
    device,
    objectiveOf(mlp(device, { inputs: 2, hidden: [8], outputs: 2 }), points, seen),
    options,
    done,
  );

describe('a trainer of examples', () => {
  test('meets each example once an epoch, the last batch the rest, and in another order in the next', async () => {
    const seen: number[] = [];
    const trainer = trainerOf({ batch: 16 }, seen);
    const records = [];
    for (let step = 0; step < 6; step++) records.push(await trainer.step(1e-2));
    const [first, second] = [seen.slice(0, 40), seen.slice(40)];
    const all = Array.from({ length: 40 }, (_, i) => i);
    expect([...first].sort((a, b) => a - b)).toEqual(all);
    expect([...second].sort((a, b) => a - b)).toEqual(all);
    expect(second).not.toEqual(first);
    expect(records.map(({ step, examples }) => [step, examples])).toEqual([
      [1, 16],
      [2, 32],
      [3, 40],
      [4, 56],
      [5, 72],
      [6, 80],
    ]);
  });

  test('gives two micro-batches the weight of one of twice the size', async () => {
    const [split, whole] = [trainerOf({ batch: 10, accumulate: 2 }), trainerOf({ batch: 20 })];
    const [a, b] = [await split.step(1e-2), await whole.step(1e-2)];
    expect(a.loss).toBeCloseTo(b.loss, 12);
    expect(a.gradientNorm).toBeCloseTo(b.gradientNorm ?? Number.NaN, 6);
  });

  test('learns, and goes on after a step as if it had made those before', async () => {
    const seen: number[] = [];
    const trainer = trainerOf({ batch: 20, seed: 3 }, seen);
    const first = await trainer.step(1e-2);
    for (let step = 1; step < 60; step++) await trainer.step(1e-2);
    expect((await trainer.step(1e-2)).loss).toBeLessThan(0.5 * first.loss);
    const later: number[] = [];
    await trainerOf({ batch: 20, seed: 3 }, later, 60).step(1e-2);
    expect(later).toEqual(seen.slice(60 * 20));
  });

  test('is as before after a rehearsal', async () => {
    const [trainer, other] = [trainerOf({ batch: 8 }), trainerOf({ batch: 8 })];
    await trainer.rehearse();
    expect((await trainer.step(1e-2)).loss).toBe((await other.step(1e-2)).loss);
  });

  test('stops after ten steps without a finite loss', async () => {
    const broken = { ...points, inputs: points.inputs.map(() => Number.NaN) };
    const model = mlp(device, { inputs: 2, outputs: 2 });
    const trainer = new ExampleTrainer(device, objectiveOf(model, broken), { batch: 8 });
    for (let step = 0; step < 9; step++) expect((await trainer.step(1e-2)).skipped).toBe(true);
    await expect(trainer.step(1e-2)).rejects.toThrow(/without a finite loss and gradient/);
  });

  test('refuses a batch of none', () => {
    expect(() => trainerOf({ batch: 0 })).toThrow(/batch is a whole number from 1 on/);
  });
});

describe('a trainer of a perceptron', () => {
  const line: Examples = {
    count: 6,
    width: 1,
    inputs: Float32Array.of(-3, -2, -1, 1, 2, 3),
    targets: Int32Array.of(0, 0, 0, 1, 1, 1),
  };

  test('ends when a pass finds no mistake, and tells the share of them before each pass', async () => {
    const trainer = new PerceptronTrainer(device, perceptron(device, { inputs: 1 }), line);
    const losses: number[] = [];
    while (!trainer.isFinished && losses.length < 20) losses.push((await trainer.step(1)).loss);
    expect(losses[0]).toBe(0.5);
    expect(losses.at(-1)).toBe(0);
    expect(losses.length).toBeLessThan(20);
  });

  test('is as before after a rehearsal', async () => {
    const model = perceptron(device, { inputs: 1 });
    const trainer = new PerceptronTrainer(device, model, line);
    await trainer.rehearse();
    expect([...(await valuesOf(model.weight)), ...(await valuesOf(model.bias))]).toEqual([0, 0]);
    expect(trainer.done).toBe(0);
  });
});
