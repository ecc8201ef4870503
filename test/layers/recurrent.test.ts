import { describe, expect, test } from 'vitest';
import { type Activation, catalogue, findCell, hardSigmoid, sigmoid, softsign } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { Mode } from '../../src/layers/mode.js';
import { Gru, Lstm, Recurrent, Rnn } from '../../src/layers/recurrent.js';
import { RecurrentCache } from '../../src/layers/recurrent-cache.js';
import type { RecurrentOptions } from '../../src/layers/recurrent-options.js';
import { concat, gradcheck, memory, scope, tensor } from '../../src/tensor/index.js';
import { expectNear } from '../tensor/devices.js';
import { initializer, normal, readerOf, shake, valuesOf } from './support.js';

const device = await openReference();
const quiet = Mode.evaluation();
const all = [
  ['rnn', {}],
  ['rnn', { activations: { activation: softsign }, bias: false }],
  ['rnn', { projection: { width: 2, activation: sigmoid } }],
  ['rnn', { projection: { width: 2, bias: false, activation: softsign }, layers: 2 }],
  ['rnn', { projection: { width: 2 }, bidirectional: true }],
  ['lstm', { layers: 2, bidirectional: true }],
  ['lstm', { projection: 2, activations: { gate: hardSigmoid, output: softsign } }],
  ['gru', { layers: 2, bidirectional: true, bias: false }],
  ['gru', { activations: { gate: hardSigmoid, candidate: softsign } }],
] as const satisfies readonly (readonly ['rnn' | 'lstm' | 'gru', RecurrentOptions])[];

describe.each(all)('%s cells with %o', (cell, options: RecurrentOptions) => {
  test.each([undefined, [2, 3, 1]])('have the gradients of finite differences, with lengths %j', async (lengths) => {
    const layer = shake(new Recurrent(initializer(device), findCell(cell), 2, 2, options));
    const x = normal(device, [3, 3, 2], 5);
    x.requiresGrad = true;
    const runs = layer.layers * layer.directions;
    const states = Object.fromEntries(
      layer.cell.states.map((name, i) => {
        const state = normal(device, [runs, 3, i === 0 ? layer.outputs : 2], 20 + i);
        state.requiresGrad = true;
        return [name, state];
      }),
    );
    const report = await gradcheck(() => {
      const { output, states: finals } = layer.forward(x, quiet, { lengths, states });
      return concat(
        [output, ...Object.values(finals)].map((one) =>
          one
            .mul(one.add(1))
            .mul(normal(device, one.shape, 40))
            .sum()
            .reshape([1]),
        ),
      ).sum();
    }, [x, ...Object.values(states), ...layer.parameters()]);
    expect(report.compared).toBeGreaterThan(30);
  });
});

const lstm = (options: RecurrentOptions = {}): Lstm => shake(new Lstm(initializer(device), 2, 3, options));

describe('padding', () => {
  test('is never read: whatever it holds, results and gradients are those of the sequences alone', async () => {
    const layer = lstm({ layers: 2, bidirectional: true });
    const lengths = [2, 4];
    const values = await valuesOf(normal(device, [2, 4, 2], 3));
    const poisoned = values.map((value, i) => (i >= 4 && i < 8 ? Number.NaN : value));
    const x = tensor(device, poisoned, [2, 4, 2], { requiresGrad: true });
    const { output, states } = layer.forward(x, quiet, { lengths });
    output.mul(output).sum().backward();
    const alone = layer.forward(tensor(device, values.slice(0, 4), [1, 2, 2]), quiet);
    const found = await valuesOf(output);
    expectNear(found.slice(0, 12), await valuesOf(alone.output));
    expect(found.slice(12, 24)).toEqual(new Array(12).fill(0));
    for (const name of ['h', 'c']) {
      const one = states[name]?.select(1, 0);
      const other = alone.states[name]?.select(1, 0);
      if (one === undefined || other === undefined) throw new Error(`${name} is missing`);
      expectNear(await valuesOf(one), await valuesOf(other));
    }
    const gradients = await Promise.all([x, ...layer.parameters()].map((leaf) => valuesOf(leaf.grad ?? leaf)));
    expect(gradients.flat().every(Number.isFinite)).toBe(true);
    expect(gradients[0]?.slice(4, 8)).toEqual([0, 0, 0, 0]);
  });
});

describe('windows with the state carried on', () => {
  test('give what the whole sequence gives', async () => {
    const layer = lstm({ layers: 2 });
    const x = normal(device, [3, 6, 2]);
    const whole = layer.forward(x, quiet);
    const first = layer.forward(x.slice(1, 0, 4), quiet);
    const second = layer.forward(x.slice(1, 4), quiet, { states: first.states });
    expectNear(await valuesOf(concat([first.output, second.output], 1)), await valuesOf(whole.output));
    expectNear(await valuesOf(second.states['c'] ?? x), await valuesOf(whole.states['c'] ?? x));
  });

  test('detached, end the gradient and the memory where a window begins', () => {
    const layer = lstm();
    const cache = new RecurrentCache(device, layer, 2);
    const peaks: number[] = [];
    for (let window = 0; window < 6; window++) {
      scope(device, () => {
        const { output, states } = layer.forward(normal(device, [2, 8, 2], window), quiet, { states: cache.states });
        cache.update(states, 8);
        peaks.push(memory(device).liveBytes);
        output.sum().backward();
      });
    }
    expect(cache.length).toBe(48);
    expect(new Set(peaks.slice(1)).size).toBe(1);
    cache.clear();
    expect(cache.length).toBe(0);
    cache.dispose();
  });
});

test('the memory of back-propagation through time grows linearly with the steps that are kept', () => {
  const layer = lstm({ layers: 2 });
  const held = (steps: number): number =>
    scope(device, () => {
      const x = normal(device, [4, steps, 2]);
      const before = memory(device).liveBytes;
      const { output } = layer.forward(x, quiet);
      const bytes = memory(device).liveBytes - before;
      output.sum().backward();
      return bytes;
    });
  const [few, some, many] = [held(50), held(100), held(200)];
  expect(many - some).toBe(2 * (some - few));
});

describe('a weight', () => {
  test('has the name and shape that PyTorch gives it', () => {
    const layer = lstm({ layers: 2, bidirectional: true, projection: 2 });
    const shapes = Object.fromEntries(layer.namedParameters().map(({ name, tensor: { shape } }) => [name, shape]));
    expect(shapes).toMatchObject({
      weight_ih_l0: [12, 2],
      weight_hh_l0: [12, 2],
      bias_ih_l0: [12],
      bias_hh_l0: [12],
      weight_hr_l0: [2, 3],
      weight_ih_l1_reverse: [12, 4],
    });
    expect(Object.keys(shapes)).toHaveLength(20);
  });

  test('that a file lacks, or has in another shape, is named', async () => {
    const layer = lstm();
    const weights = new Map(
      layer.namedParameters().map(({ name, tensor: { shape, size } }) => [name, { shape, data: new Array(size) }]),
    );
    const without = new Map([...weights].filter(([name]) => name !== 'bias_hh_l0'));
    await expect(layer.load(readerOf(without))).rejects.toThrow(/missing bias_hh_l0/);
    const other = new Map(weights).set('weight_hh_l0', { shape: [9, 3], data: new Array(27) });
    await expect(layer.load(readerOf(other))).rejects.toThrow(/weight_hh_l0 has the shape \[12, 3\].*\[9, 3\]/);
    const more = new Map(weights).set('weight_hr_l0', { shape: [2, 3], data: new Array(6) });
    await expect(layer.load(readerOf(more))).rejects.toThrow(/unexpected weight_hr_l0/);
  });

  test('of the forget gate begins as it is asked for, both biases together', async () => {
    const layer = new Lstm(initializer(device), 2, 3, { forgetBias: 1 });
    const sum = layer.weight('bias_ih_l0').add(layer.weight('bias_hh_l0'));
    expect((await valuesOf(sum)).slice(3, 6)).toEqual([1, 1, 1]);
    expect((await valuesOf(sum)).slice(0, 3)).not.toEqual([1, 1, 1]);
  });
});

describe('what does not fit is refused with the rule', () => {
  const x = normal(device, [3, 4, 2]);
  const state = (...shape: number[]) => normal(device, shape);
  test.each<[string, () => unknown, RegExp]>([
    [
      'an input width',
      () => lstm().forward(normal(device, [3, 4, 5]), quiet),
      /2 inputs takes \[batch, time, inputs 2\]/,
    ],
    ['too few lengths', () => lstm().forward(x, quiet, { lengths: [4, 4] }), /each of the 3 sequences.*received 2/],
    ['an empty sequence', () => lstm().forward(x, quiet, { lengths: [4, 0, 1] }), /0 for sequence 1.*Leave empty/],
    ['a length beyond the time', () => lstm().forward(x, quiet, { lengths: [4, 5, 1] }), /to the time of the batch, 4/],
    ['a broken length', () => lstm().forward(x, quiet, { lengths: [4, 1.5, 1] }), /whole number/],
    ['half of the states', () => lstm().forward(x, quiet, { states: { h: state(1, 3, 3) } }), /are h and c/],
    [
      'states of another batch',
      () => lstm().forward(x, quiet, { states: { h: state(1, 2, 3), c: state(1, 2, 3) } }),
      /state h of an lstm takes \[layers x directions 1, batch 3, width 3\]/,
    ],
    ['a width', () => new Gru(initializer(device), 2, 0), /hidden of a recurrent layer is a whole number/],
    ['a projection of a GRU', () => new Gru(initializer(device), 2, 3, { projection: 2 }), /outputs of gru cells/],
    ['a forget gate that is not there', () => new Rnn(initializer(device), 2, 3, { forgetBias: 1 }), /forget gate/],
    ['a role', () => new Rnn(initializer(device), 2, 3, { activations: { gate: sigmoid } }), /of rnn are activation/],
    ['a cell', () => findCell('lstmm' as 'lstm'), /Did you mean "lstm"/],
  ])('%s', (_, act, rule) => {
    expect(act).toThrow(rule);
  });
});

test('every activation of the catalogue serves in a cell', async () => {
  for (const activation of catalogue().filter((one): one is Activation => one.kind === 'activation')) {
    const layer = shake(
      new Gru(initializer(device), 2, 3, { activations: { gate: activation, candidate: activation } }),
    );
    const { output } = layer.forward(normal(device, [2, 3, 2]), quiet);
    output.sum().backward();
    expect((await valuesOf(output)).every(Number.isFinite), activation.name).toBe(true);
  }
});
