import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { relu, tanh } from '../../src/activations/index.js';
import type { Device } from '../../src/devices/device.js';
import { SafetensorsFile } from '../../src/formats/safetensors-file.js';
import { Mode } from '../../src/layers/mode.js';
import { Gru, Lstm, type Recurrent, Rnn } from '../../src/layers/recurrent.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { distance } from '../models/golden.js';
import { openDevices } from '../support/devices.js';
import { initializer, readerOf } from './support.js';

interface Case {
  readonly kind: 'RNN' | 'LSTM' | 'GRU';
  readonly inputs: number;
  readonly hidden: number;
  readonly options: {
    readonly num_layers?: number;
    readonly bidirectional?: boolean;
    readonly bias?: boolean;
    readonly proj_size?: number;
    readonly nonlinearity?: 'tanh' | 'relu';
  };
  readonly lengths?: readonly number[];
  readonly states?: boolean;
}

// The suite of conformance/ has its own, larger set of cases.
const folder = process.env['SLUICE_RECURRENT_CASES'] ?? fileURLToPath(new URL('../golden/recurrent', import.meta.url));
const cases = Object.entries(JSON.parse(readFileSync(join(folder, 'cases.json'), 'utf8')) as Record<string, Case>);
const expected = await SafetensorsFile.open(join(folder, 'expected.safetensors'));
const { reference, others } = await openDevices();
afterAll(() => expected.close());

function build(device: Device, { kind, inputs, hidden, options }: Case): Recurrent {
  const { num_layers: layers = 1, bidirectional = false, bias = true, proj_size, nonlinearity } = options;
  const common = { layers, bidirectional, bias };
  const init = initializer(device);
  if (kind === 'LSTM') return new Lstm(init, inputs, hidden, { ...common, projection: proj_size });
  if (kind === 'GRU') return new Gru(init, inputs, hidden, common);
  return new Rnn(init, inputs, hidden, {
    ...common,
    activations: { activation: nonlinearity === 'relu' ? relu : tanh },
  });
}

describe.each(
  [reference, ...others].map((device) => [`${device.name}, ${device.description}`, device] as const),
)('%s', (_, device) => {
  test.each(cases)('%s computes as PyTorch, every output and every gradient', async (name, own) => {
    const read = async (key: string): Promise<Float32Array> => expected.readFloat32(`${name}.${key}`);
    const load = async (key: string, requiresGrad = false): Promise<Tensor> =>
      tensor(device, await read(key), expected.info(`${name}.${key}`).shape, { requiresGrad });
    const layer = build(device, own);
    const prefix = `${name}.weights.`;
    const names = expected.names().filter((key) => key.startsWith(prefix));
    const weights = await Promise.all(
      names.map(async (key) => {
        const data = await expected.readFloat32(key);
        return [key.slice(prefix.length), { shape: expected.info(key).shape, data }] as const;
      }),
    );
    await layer.load(readerOf(new Map(weights)));
    const x = await load('x', true);
    const states: Record<string, Tensor> = {};
    if (own.states === true) for (const key of layer.cell.states) states[key] = await load(`initial.${key}`, true);
    const given = { lengths: own.lengths, states: own.states === true ? states : undefined };
    const { output, states: finals } = layer.forward(x, Mode.evaluation(), given);
    const outcomes = [
      ['output', output] as const,
      ...Object.entries(finals).map(([key, state]) => [`final.${key}`, state] as const),
    ];
    // Three layers of an RNN with large weights are chaotic: what rounding does to them grows from step to step.
    const tolerance = device.name === 'reference' ? 1e-6 : own.hidden > 4 ? 1e-4 : 2e-5;
    for (const [key, value] of outcomes) {
      expect(value.shape).toEqual(expected.info(`${name}.${key}`).shape);
      expect(distance(await value.toArray(), await read(key)), key).toBeLessThan(tolerance);
    }
    const terms = await Promise.all(
      outcomes.map(async ([key, value]) => value.mul(await load(`cotangent.${key}`)).sum()),
    );
    terms.reduce((sum, term) => sum.add(term)).backward();
    const leaves = [
      ['x', x] as const,
      ...Object.entries(states).map(([key, state]) => [`initial.${key}`, state] as const),
      ...layer.namedParameters().map((parameter) => [parameter.name, parameter.tensor] as const),
    ];
    for (const [key, leaf] of leaves) {
      if (leaf.grad === undefined) throw new Error(`${key} has no gradient`);
      expect(distance(await leaf.grad.toArray(), await read(`gradient.${key}`)), key).toBeLessThan(tolerance);
    }
  });
});
