import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { tanh } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { Mode } from '../../src/layers/mode.js';
import { BagOfTokens } from '../../src/models/bag-of-tokens.js';
import { lenet, lenet1989 } from '../../src/models/lenet.js';
import { Mlp } from '../../src/models/mlp.js';
import { Perceptron } from '../../src/models/perceptron.js';
import { saveWeights } from '../../src/runs/checkpointing.js';
import { complete } from '../../src/runs/complete.js';
import { encodeLenet, openModel } from '../../src/runs/model-config.js';
import type { PartialSettings } from '../../src/runs/settings.js';
import { startRun } from '../../src/runs/start-run.js';
import { tensor } from '../../src/tensor/index.js';
import { normal, valuesOf } from '../layers/support.js';

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

  test.each(['lenet', 'lenet1989'] as const)('a %s', async (model) => {
    const [run, scheme] = [join(folder, model), 'xavier-uniform'] as const;
    const options = { side: 12, outputs: 3, initialization: scheme };
    const made = model === 'lenet' ? lenet(device, { ...options, pooling: 'max' }) : lenet1989(device, options);
    const config = {
      side: 12,
      outputs: 3,
      activation: tanh,
      pooling: model === 'lenet' ? ('max' as const) : undefined,
    };
    mkdirSync(run);
    writeFileSync(join(run, 'config.json'), JSON.stringify(encodeLenet(config)));
    await saveWeights(run, made);
    const images = normal(device, [2, 1, 12, 12]);
    const opened = (await openModel(run, device)) as typeof made;
    const both = [made, opened].map((one) => valuesOf(one.forward(images, Mode.evaluation())));
    const [wanted, found] = await Promise.all(both);
    expect(found).toHaveLength(6);
    found?.forEach((value, i) => {
      expect(value).toBeCloseTo(wanted?.[i] ?? Number.NaN, 5);
    });
  });

  test('what is missing, impossible or of another model is named', async () => {
    const run = await train({ task: 'moons', hidden: 8 });
    const good = configOf(run);
    const write = (config: unknown): void => writeFileSync(join(run, 'config.json'), JSON.stringify(config));
    for (const [config, message] of [
      [{ ...good, hidden_sizes: [8, 0] }, /in .*config\.json hidden_sizes\.1 is at least 1, received 0/],
      [{ ...good, model_type: 'llama' }, /config\.json model_type.*received "llama".*models of text are opened by/],
      [
        { ...good, activation: { ...(good['activation'] as object), expression: 'x*(' } },
        /config\.json relu is a formula/,
      ],
      [{ ...good, hidden_sizes: [8, 9] }, /layers\.1\.weight has the shape \[9, 8\], received \[8, 8\]/],
      [{ ...good, hidden_sizes: [8] }, /only tensors of their model, received "layers\.2/],
    ] as const) {
      write(config);
      await expect(openModel(run, device)).rejects.toThrow(message);
    }
    rmSync(join(run, 'config.json'));
    await expect(openModel(run, device)).rejects.toThrow(/a run folder holds config\.json/);
  });
});
