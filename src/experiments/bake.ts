import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { catalogue } from '../activations/catalogue.js';
import { isElementwise, isRowFunction } from '../activations/evaluate.js';
import { type TokenSource, tokenArray } from '../data/token-source.js';
import { parseTokenizerSpec } from '../data/tokenizer-spec.js';
import type { Device } from '../devices/device.js';
import { bakeNative } from '../devices/native/device.js';
import { Initializer } from '../layers/initialization.js';
import { Mode } from '../layers/mode.js';
import { Llama } from '../models/llama.js';
import { complete } from '../runs/complete.js';
import { configOf } from '../runs/model.js';
import { ruleOf } from '../runs/optimizer-settings.js';
import { presetNamed, presetNames } from '../runs/presets.js';
import { goThrough as goThroughRun, resultOf } from '../runs/rehearse-run.js';
import type { PartialSettings, Settings } from '../runs/settings.js';
import { taskNamed } from '../runs/tasks.js';
import { full, noGrad, scope, tensor } from '../tensor/index.js';
import { evaluate } from '../training/evaluate.js';
import { Trainer } from '../training/trainer.js';
import { evaluateFormula, evaluateRow } from './evaluate-formula.js';

const byteVocabulary = 257; // or about as many characters

export interface Baking {
  readonly march: string;
  readonly folder: string;
  readonly kernels: number;
  readonly libraries: number;
  readonly bytes: number;
}

/**
 * Makes all kernels that training the presets, using what was trained and evaluating the catalogue need, for machines
 * without a compiler: everything is gone through once and nothing is computed.
 * @param march the kind of processor, as the compiler's -march names it
 * @param onBegin hears that all that can be refused was accepted
 * @throws SluiceError `device` where there is no compiler, or it does not know the processor.
 */
export async function bakeKernels(folder: string, march: string, onBegin = (): void => {}): Promise<Baking> {
  const { device, made } = await bakeNative({ folder, march });
  onBegin();
  try {
    for (const name of presetNames) await goThrough(device, complete({ ...presetNamed(name), data: 'demo' }));
    for (const task of drawnTasks) await goThroughTask(device, task);
    await evaluateAll(device);
    const kernels = await made();
    const libraries = readdirSync(folder).filter((name) => name.endsWith('.so'));
    const size = libraries.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    return { march, folder, kernels, libraries: libraries.length, bytes: size };
  } finally {
    await device.close();
  }
}

/** Tasks that draw their own examples, with each model type that learns from them. */
const drawnTasks: readonly PartialSettings[] = [
  ...(['mlp', 'perceptron'] as const).map((model) => ({ task: 'rings', model })),
  ...(['lstm', 'gru', 'rnn'] as const).flatMap((model) => ['adding', 'copy'].map((task) => ({ task, model }))),
];

async function goThroughTask(device: Device, given: PartialSettings): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-'));
  try {
    const settings = complete({ ...given, examples: 64 });
    const draft = await taskNamed(settings.task).open(settings);
    const prepared = await resultOf(draft.prepare(device));
    const run = await resultOf(prepared(folder));
    await goThroughRun(run).finally(() => run.close());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Two steps, since the second finds what the first made; an evaluation; and text with a prompt and without. */
async function goThrough(device: Device, settings: Settings): Promise<void> {
  const spec = parseTokenizerSpec(settings.tokenizer);
  const config = configOf(settings, spec.kind === 'bpe' ? spec.vocabularySize : byteVocabulary);
  const { batch, context, accumulate, seed } = settings;
  const length = 2 * batch * context + 1;
  const source: TokenSource = { length, read: async (_, count) => tokenArray(config.vocabSize, count) };
  const model = new Llama(new Initializer(device, seed), config);
  const options = { batch, context, accumulate, seed, optimizer: ruleOf(settings) };
  const trainer = new Trainer(device, model, source, options);
  await scope(device, async () => full(device, [384, 384], 0.5).matmul(full(device, [384, 384], 0.5)));
  for (let step = 0; step < 2; step++) await trainer.step(settings.lr);
  await evaluate(device, model, source, new Int32Array(config.vocabSize), { batch, context });
  // Products of few rows have kernels of their own.
  for (const prompt of [1, 2, 3, 4, 16]) await continueText(device, model, prompt);
}

/** As `generate` does, which would need a tokenizer of this vocabulary: a prompt, and two tokens after it. */
async function continueText(device: Device, model: Llama, prompt: number): Promise<void> {
  const caches = model.makeCaches(1);
  for (const length of [prompt, 1, 1]) {
    const ids = new Int32Array(length);
    await scope(device, () =>
      noGrad(async () => {
        const tokens = tensor(device, ids, [1, length], { dtype: 'int32' });
        return model
          .forward(tokens, Mode.evaluation(), caches)
          .select(1, length - 1)
          .toArray();
      }),
    );
  }
  for (const cache of caches) cache.dispose();
}

async function evaluateAll(device: Device): Promise<void> {
  for (const formula of catalogue()) {
    if (isRowFunction(formula)) await evaluateRow(device, formula, [1, 2, 3]);
    else if (isElementwise(formula))
      await evaluateFormula(
        device,
        formula,
        formula.inputs.map(() => [1, 2, 3]),
      );
  }
}
