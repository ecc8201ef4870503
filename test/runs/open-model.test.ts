import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { SafetensorsFile } from '../../src/formats/safetensors-file.js';
import type { Layer } from '../../src/layers/layer.js';
import { Mode } from '../../src/layers/mode.js';
import { BagOfTokens } from '../../src/models/bag-of-tokens.js';
import { Forecaster } from '../../src/models/forecaster.js';
import { GatedConvolution } from '../../src/models/gated-convolution.js';
import { Lenet, Lenet1989 } from '../../src/models/lenet.js';
import { Llama } from '../../src/models/llama.js';
import { Mlp } from '../../src/models/mlp.js';
import { Perceptron } from '../../src/models/perceptron.js';
import { RecurrentLanguageModel } from '../../src/models/recurrent-language-model.js';
import { SequenceModel } from '../../src/models/sequence-model.js';
import { complete } from '../../src/runs/complete.js';
import { openModel } from '../../src/runs/open-model.js';
import type { PartialSettings } from '../../src/runs/settings.js';
import { startRun } from '../../src/runs/start-run.js';
import { tensor } from '../../src/tensor/index.js';
import { valuesOf } from '../layers/support.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const device = await openReference();
const texts = join(folder, 'texts.jsonl');
const lines = Array.from({ length: 40 }, (_, i) => JSON.stringify({ text: 'ab cd'.slice(i % 4), label: `${i % 2}` }));
writeFileSync(texts, lines.join('\n'));

let made = 0;
async function train(given: PartialSettings): Promise<string> {
  const out = join(folder, `run-${made++}`);
  const settings = complete({ steps: 2, evalEvery: 100, saveEvery: 100, device: 'wasm', ...given });
  try {
    for await (const _ of startRun({ ...settings, threads: 1 }, { out }));
  } catch (error) {
    if (given.model !== 'perceptron') throw error; // that nothing could be learned
  }
  return out;
}
const configOf = (run: string) => JSON.parse(readFileSync(join(run, 'config.json'), 'utf8')) as Record<string, unknown>;

describe('a run of examples is opened by its config.json', () => {
  test('an MLP, with an activation that this source does not know and what it has learned', async () => {
    const run = await train({ task: 'moons', activation: 'x*sigmoid(1.5*x)', hidden: 8, optimizer: 'sgd' });
    const model = await openModel(run, device);
    expect(model).toBeInstanceOf(Mlp);
    expect(configOf(run)).toMatchObject({
      ...{ architectures: ['Mlp'], model_type: 'mlp', input_size: 2, hidden_sizes: [8, 8], output_size: 2 },
      activation: { kind: 'activation', expression: 'x*sigmoid(1.5*x)' },
    });
    const [w1, b1, w2, b2, w3, b3] = await Promise.all(model.parameters().map(valuesOf));
    const f = (z: number): number => z / (1 + Math.exp(-1.5 * z));
    const layer = (weights: number[] = [], biases: number[] = [], x: number[] = []): number[] =>
      biases.map((bias, i) => x.reduce((sum, value, j) => sum + value * (weights[i * x.length + j] ?? 0), bias));
    const wanted = layer(w3, b3, layer(w2, b2, layer(w1, b1, [0.3, -0.7]).map(f)).map(f));
    const found = await valuesOf((model as Mlp).forward(tensor(device, [0.3, -0.7], [1, 2]), Mode.evaluation()));
    found.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] ?? Number.NaN, 12);
    });
  });

  test('an MLP with learned parameters and a surrogate for its derivative', async () => {
    const learned = await openModel(await train({ task: 'moons', activation: 'prelu' }), device);
    expect(learned.namedParameters().map(({ name }) => name)).toContain('activations.0.weight');
    const straight = await train({ task: 'moons', activation: 'step', surrogate: 'hardTanh' });
    expect(configOf(straight)).toMatchObject({ surrogate: { name: 'hardTanh' } });
    expect(await openModel(straight, device)).toBeInstanceOf(Mlp);
  });

  test('a bag of tokens and a perceptron', async () => {
    const bag = await train({ task: 'text', data: texts, tokenizer: 'byte', dim: 4 });
    expect(await openModel(bag, device)).toBeInstanceOf(BagOfTokens);
    expect(configOf(bag)).toMatchObject({ model_type: 'bag', input_size: 4, output_size: 2 });
    const unit = await openModel(await train({ task: 'moons', model: 'perceptron', outputs: '-1/1' }), device);
    expect(unit).toBeInstanceOf(Perceptron);
    expect((unit as Perceptron).outputs).toEqual([-1, 1]);
  });

  const series = join(folder, 'series.csv');
  const rows = Array.from({ length: 60 }, (_, i) => `${Math.sin(i)},${i}`);
  writeFileSync(series, ['sold,price', ...rows].join('\n'));
  const prose = join(folder, 'prose.txt');
  writeFileSync(prose, 'the whale and the sea and the ship, '.repeat(60));
  const small = { hidden: 4, batch: 4, validation: 0.1 };
  const drawn = { ...small, examples: 40 };
  const text = { data: prose, tokenizer: 'byte', dim: 8, layers: 2, context: 8, batch: 2 } as const;

  test.each<[string, PartialSettings, new (...args: never[]) => Layer, Record<string, unknown>]>([
    ['LeNet-5', { task: 'mnist', model: 'lenet', batch: 4, validation: 0.01 }, Lenet, { pooling: 'max' }],
    ['the network of 1989', { task: 'mnist', model: 'lenet1989', batch: 4, validation: 0.01 }, Lenet1989, {}],
    [
      'an LSTM',
      { ...drawn, task: 'adding', length: 6, layers: 2, bidirectional: true, gateActivation: 'hardSigmoid' },
      SequenceModel,
      { model_type: 'sequence', cell: 'lstm', num_layers: 2, activations: { gate: { name: 'hardSigmoid' } } },
    ],
    [
      'an RNN that says symbols at each step, of its own activation',
      { ...drawn, task: 'copy', symbols: 2, delay: 3, model: 'rnn', activation: 'x/(1 + abs(x))' },
      SequenceModel,
      { cell: 'rnn', answers: 'each', activations: { activation: { expression: 'x/(1 + abs(x))' } } },
    ],
    [
      'a GRU that reads texts',
      { ...small, task: 'text', model: 'gru', data: texts, tokenizer: 'byte', dim: 4, dropout: 0.1 },
      SequenceModel,
      { cell: 'gru', input_size: 4, answers: 'mean', dropout: 0.1 },
    ],
    ['a forecaster', { ...small, task: 'forecast', data: series, target: 'sold' }, Forecaster, { shortcut: 'linear' }],
    [
      'a forecaster without a shortcut',
      { ...small, task: 'forecast', data: series, target: 'sold', shortcut: 'none', horizon: 2, inputs: 'price' },
      Forecaster,
      { shortcut: 'none', input_size: 2, output_size: 2 },
    ],
    ['a language model of LSTMs', { ...text, model: 'lstm' }, RecurrentLanguageModel, { model_type: 'sluice_lstm' }],
    ['a LLaMA', { ...text, heads: 2, ffn: 'reglu' }, Llama, { model_type: 'llama' }],
    ['a gated convolution', { ...text, model: 'gated-conv' }, GatedConvolution, { model_type: 'sluice_gated_conv' }],
  ])('%s', async (_, settings, type, config) => {
    const run = await train(settings);
    expect(configOf(run)).toMatchObject(config);
    const model = await openModel(run, device);
    expect(model).toBeInstanceOf(type);
    const saved = await SafetensorsFile.open(join(run, 'model.safetensors'));
    for (const { name, tensor: weight } of model.namedParameters()) {
      expect(await valuesOf(weight), name).toEqual(Array.from(await saved.readFloat32(name)));
    }
    await saved.close();
  });

  test('what is missing, impossible or of another model is named', async () => {
    const run = await train({ task: 'moons', hidden: 8 });
    const good = configOf(run);
    const write = (config: unknown): void => writeFileSync(join(run, 'config.json'), JSON.stringify(config));
    for (const [config, message] of [
      [{ ...good, hidden_sizes: [8, 0] }, /in .*config\.json hidden_sizes\.1 is at least 1, received 0/],
      [{ ...good, model_type: 'mpl' }, /config\.json model_type is one of.*received "mpl".*Did you mean "mlp"/],
      [{ ...good, model_type: 'llama' }, /a run that writes is one of the task causal, received "moons"/],
      [
        { ...good, activation: { ...(good['activation'] as object), expression: 'x*(' } },
        /config\.json activation is an activation: /,
      ],
      [
        { ...good, hidden_sizes: [8, 9] },
        /3 of another shape\), received \["layers\.1\.weight \[8, 8\], not \[9, 8\]"/,
      ],
      [{ ...good, hidden_sizes: [8] }, /2 unexpected, .*\["unexpected layers\.2/],
    ] as const) {
      write(config);
      await expect(openModel(run, device)).rejects.toThrow(message);
    }
    rmSync(join(run, 'config.json'));
    await expect(openModel(run, device)).rejects.toThrow(/a run folder holds config\.json/);
  });
});
