import { describe, expect, test } from 'vitest';
import { cellNames } from '../../src/activations/cells.js';
import { openReference } from '../../src/devices/reference/index.js';
import { Mode } from '../../src/layers/mode.js';
import { type Answers, SequenceModel, sequenceModelConfig } from '../../src/models/sequence-model.js';
import { gradcheck, type Tensor, tensor } from '../../src/tensor/index.js';
import { initializer, normal, valuesOf } from '../layers/support.js';

const device = await openReference();
const evaluation = Mode.evaluation();
const make = (answers: Answers, options: { bidirectional?: boolean; vocabSize?: number } = {}): SequenceModel => {
  const config = sequenceModelConfig({
    cell: 'lstm',
    inputs: 2,
    hidden: 3,
    outputs: 2,
    layers: 2,
    answers,
    ...options,
  });
  return new SequenceModel(initializer(device), config);
};
const ids = (values: readonly number[], time: number): Tensor =>
  tensor(device, Int32Array.from(values), [values.length / time, time]);
const close = (a: readonly number[], b: readonly number[]): void => {
  expect(a).toHaveLength(b.length);
  a.forEach((value, i) => {
    expect(value).toBeCloseTo(b[i] ?? Number.NaN, 12);
  });
};

describe.each(['last', 'mean'] as const)('an answer from the %s of the steps', (answers) => {
  test.each([
    false,
    true,
  ])('is the same however much a sequence is padded, and by what; bidirectional: %s', async (bidirectional) => {
    const model = make(answers, { bidirectional });
    const x = normal(device, [1, 4, 2]);
    const alone = await valuesOf(model.forward(x, evaluation).output);
    const steps = await valuesOf(x);
    const long = await valuesOf(normal(device, [1, 7, 2], 2));
    for (const filling of [0, 9, -1e6]) {
      const padding = new Array<number>(6).fill(filling);
      const batch = tensor(device, [...steps, ...padding, ...long], [2, 7, 2]);
      const { output } = model.forward(batch, evaluation, { lengths: [4, 7] });
      close((await valuesOf(output)).slice(0, 2), alone);
    }
  });

  test('passes no gradient to padding', async () => {
    const model = make(answers, { vocabSize: 5 });
    model
      .forward(ids([1, 2, 4, 3, 1, 2], 3), evaluation, { lengths: [2, 3] })
      .output.sum()
      .backward();
    const gradient = await valuesOf(model.embedding?.weight.grad as Tensor);
    expect(gradient.slice(8)).toEqual([0, 0]);
    expect(gradient.slice(2, 4).every((value) => value !== 0)).toBe(true);
  });

  test('has the gradients of central differences', async () => {
    const model = make(answers, { bidirectional: true });
    const x = normal(device, [2, 3, 2]);
    await gradcheck(() => model.forward(x, evaluation, { lengths: [3, 2] }).output.sum(), model.parameters());
  });
});

test('the mean of a sequence is that of its answers at each step', async () => {
  const [mean, each] = [make('mean'), make('each')];
  const x = normal(device, [1, 5, 2]);
  const steps = await valuesOf(each.forward(x, evaluation).output);
  const [a, b] = [0, 1].map((k) => steps.filter((_, i) => i % 2 === k).reduce((sum, value) => sum + value, 0) / 5);
  close(await valuesOf(mean.forward(x, evaluation).output), [a ?? 0, b ?? 0]);
});

test('lengths that do not match the batch, and an empty sequence, are refused', () => {
  const model = make('last');
  const x = normal(device, [2, 3, 2]);
  const forward = (lengths: number[]) => () => model.forward(x, evaluation, { lengths });
  expect(forward([3])).toThrow(/lengths has a number for each of the 2 sequences of the batch, received 1/);
  expect(forward([3, 0])).toThrow(/from 1 to the time of the batch, 3, received "0 for sequence 1"/);
  expect(forward([3, 4])).toThrow(/received "4 for sequence 1"/);
  expect(() => sequenceModelConfig({ inputs: 1, hidden: 1, outputs: 1, answers: 'first' as never })).toThrow(/answers/);
  expect(cellNames).toEqual(['rnn', 'lstm', 'gru']);
});
