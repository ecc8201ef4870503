import { describe, expect, test } from 'vitest';
import { findCell, hardSigmoid, sigmoid, softsign } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { Mode } from '../../src/layers/mode.js';
import { Recurrent, type RecurrentOptions } from '../../src/layers/recurrent.js';
import { concat, gradcheck } from '../../src/tensor/index.js';
import { initializer, normal, shake } from './support.js';

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
  test.each([undefined, [2, 4, 1]])('have the gradients of finite differences, with lengths %j', async (lengths) => {
    const layer = shake(new Recurrent(initializer(device), findCell(cell), 2, 3, options));
    const x = normal(device, [3, 4, 2], 5);
    x.requiresGrad = true;
    const runs = layer.layers * layer.directions;
    const states = Object.fromEntries(
      layer.cell.states.map((name, i) => {
        const state = normal(device, [runs, 3, i === 0 ? layer.outputs : 3], 20 + i);
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
    expect(report.compared).toBeGreaterThan(40);
  });
});
