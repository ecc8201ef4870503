import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeWeights } from '../../src/formats/weights.js';
import { parseSafetensors } from '../../src/formats.js';
import { Lstm, Mode, Recurrent, weightsUnder } from '../../src/layers.js';
import { SequenceModel, sequenceModel } from '../../src/models.js';
import { openModel, SafetensorsFile } from '../../src/node.js';
import { type Tensor, tensor } from '../../src/tensor/index.js';
import { initializer } from '../layers/support.js';
import { distance, readTensors } from '../models/golden.js';
import { openDevices } from '../support/devices.js';

const golden = fileURLToPath(new URL('../golden/sequence-model', import.meta.url));
const expected = await readTensors(join(golden, 'expected.safetensors'));
const wanted = (name: string): Float32Array => {
  const found = expected.get(name)?.data;
  if (found instanceof Float32Array) return found;
  throw new Error(`${name} is not among what was computed by PyTorch`);
};
const lengths = Array.from(expected.get('lengths')?.data ?? []);
const { reference, others } = await openDevices();
const folder = mkdtempSync(join(tmpdir(), 'sluice-elsewhere-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const tolerance = 2e-6;
const tokens = (): Int32Array => Int32Array.from(expected.get('tokens')?.data ?? []);

describe.each(
  [reference, ...others].map((device) => [`${device.name}, ${device.description}`, device] as const),
)('an LSTM that PyTorch trained, on %s', (_, device) => {
  test('is opened by its weights and a config.json, and computes the same states and gates at every step', async () => {
    const model = await openModel(golden, device);
    if (!(model instanceof SequenceModel)) throw new Error('it is a sequence model');
    const x = tensor(device, tokens(), [lengths.length, Math.max(...lengths)]);
    const { output: logits, states } = model.forward(x, Mode.evaluation(), { lengths });
    expect(distance(await logits.toArray(), wanted('logits'))).toBeLessThan(tolerance);
    for (const state of ['h', 'c']) {
      expect(distance((await states[state]?.toArray()) ?? [], wanted(state)), state).toBeLessThan(tolerance);
    }
    const steps = model.embedding?.forward(x) ?? x;
    const { output } = model.recurrent.forward(steps, Mode.evaluation(), { lengths });
    expect(distance(await output.toArray(), wanted('output'))).toBeLessThan(tolerance);
    const traces = model.recurrent.trace(steps, { lengths });
    expect(traces.map(({ name }) => name)).toEqual(['l0', 'l0_reverse', 'l1', 'l1_reverse']);
    for (const { name, values } of traces) {
      expect(Object.keys(values).sort()).toEqual(['c', 'f', 'g', 'h', 'i', 'o', 'output']);
      for (const [part, value] of Object.entries(values)) {
        const key = `${name}.${part}`;
        expect(value.shape).toEqual([4, 7, 6]);
        expect(distance(await value.toArray(), wanted(key)), key).toBeLessThan(tolerance);
        value.dispose();
      }
    }
  });
});

describe('weights by their PyTorch names', () => {
  let file: SafetensorsFile;
  beforeAll(async () => {
    file = await SafetensorsFile.open(join(golden, 'model.safetensors'));
  });
  afterAll(() => file.close());

  const outputOf = async (layer: Recurrent): Promise<ArrayLike<number>> => {
    const model = sequenceModel(reference, { inputs: 5, vocabSize: 11, hidden: 6, outputs: 3 });
    const weight = await file.readFloat32('embedding.weight');
    model.embedding?.weight.write(weight);
    const x = tensor(reference, tokens(), [lengths.length, Math.max(...lengths)]);
    return layer.forward(model.embedding?.forward(x) as Tensor, Mode.evaluation(), { lengths }).output.toArray();
  };

  test('fill a layer that was made in code, alone out of a larger file', async () => {
    const layer = new Lstm(initializer(reference), 5, 6, { layers: 2, bidirectional: true });
    await layer.load(weightsUnder(file, 'recurrent'));
    expect(distance(await outputOf(layer), wanted('output'))).toBeLessThan(tolerance);
  });

  test('fill layers alone by a config.json of their own', async () => {
    const layer = new Lstm(initializer(reference), 5, 6, { layers: 2, bidirectional: true });
    await layer.load(weightsUnder(file, 'recurrent'));
    writeFileSync(join(folder, 'model.safetensors'), await encodeWeights(layer));
    const config = { model_type: 'recurrent', cell: 'lstm', input_size: 5, hidden_size: 6, num_layers: 2 };
    writeFileSync(join(folder, 'config.json'), JSON.stringify({ ...config, bidirectional: true }));
    const opened = await openModel(folder, reference);
    if (!(opened instanceof Recurrent)) throw new Error('it is a recurrent layer');
    expect(distance(await outputOf(opened), wanted('output'))).toBeLessThan(tolerance);
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    [
      'of another shape',
      { hidden_size: 7 },
      /of another shape\), .*"recurrent\.weight_ih_l0 \[24, 5\], not \[28, 5\]"/,
    ],
    [
      'that are missing',
      { num_layers: 3 },
      /weights have the tensors of their model \(8 missing\), received \["missing recurrent\.weight_ih_l2"/,
    ],
    ['that no layer has', { bidirectional: false }, /8 unexpected, .*\["unexpected recurrent\.bias_hh_l0_reverse"/],
    ['of another cell', { cell: 'gru' }, /16 of another shape\), .*"recurrent\.weight_ih_l0 \[24, 5\], not \[18, 5\]"/],
    ['by a key that is none', { num_layer: 2 }, /config\.json has only keys of .*sequence.*Did you mean "num_layers"/],
    ['by an odd value', { num_layers: 0 }, /config\.json num_layers is at least 1, received 0/],
    ['by an unknown activation', { activations: { gate: 'sigmod' } }, /activations\.gate is an activation.*"sigmoid"/],
    ['by an unknown role', { activations: { gates: 'sigmoid' } }, /activations of lstm are gate, candidate, output/],
    ['by an unknown type', { model_type: 'sequences' }, /model_type is one of.*received "sequences".*"sequence"/],
  ])('%s are refused with one error that says which', async (_, change, message) => {
    const own = mkdtempSync(join(folder, 'own-'));
    cpSync(golden, own, { recursive: true });
    const config = JSON.parse(readFileSync(join(own, 'config.json'), 'utf8')) as Record<string, unknown>;
    writeFileSync(join(own, 'config.json'), JSON.stringify({ ...config, ...change }));
    await expect(openModel(own, reference)).rejects.toThrow(message);
  });

  test('are read from a file in memory as well', async () => {
    const bytes = readFileSync(join(golden, 'model.safetensors'));
    const layer = new Lstm(initializer(reference), 5, 6, { layers: 2, bidirectional: true });
    await layer.load(weightsUnder(parseSafetensors(bytes), 'recurrent'));
    expect(distance(await outputOf(layer), wanted('output'))).toBeLessThan(tolerance);
  });
});
