import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { catalogue } from '../activations/catalogue.js';
import { isElementwise, isRowFunction } from '../activations/evaluate.js';
import { ByteTokenizer } from '../data/byte-tokenizer.js';
import { type TokenSource, tokenArray } from '../data/token-source.js';
import { parseTokenizerSpec } from '../data/tokenizer-spec.js';
import type { Device } from '../devices/device.js';
import { bakeNative } from '../devices/native/device.js';
import { Initializer } from '../layers/initialization.js';
import { Llama } from '../models/llama.js';
import { generate } from '../runs/generate.js';
import { configOf } from '../runs/model.js';
import { complete, presetNamed, presetNames } from '../runs/presets.js';
import type { Settings } from '../runs/settings.js';
import { full, scope } from '../tensor/index.js';
import { evaluate } from '../training/evaluate.js';
import { Trainer } from '../training/trainer.js';
import { evaluateFormula, evaluateRow } from './evaluate-formula.js';

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
 * @throws SluiceError `device` where there is no compiler, or it does not know the processor.
 */
export async function bakeKernels(folder: string, march: string): Promise<Baking> {
  const { device, made } = await bakeNative({ folder, march });
  try {
    for (const name of presetNames) await goThrough(device, complete(presetNamed(name)));
    await evaluateAll(device);
    const kernels = await made();
    const libraries = readdirSync(folder).filter((name) => name.endsWith('.so'));
    const bytes = libraries.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    return { march, folder, kernels, libraries: libraries.length, bytes };
  } finally {
    await device.close();
  }
}

/** Two steps, since the second finds what the first made; an evaluation; and text with a prompt and without. */
async function goThrough(device: Device, settings: Settings): Promise<void> {
  const spec = parseTokenizerSpec(settings.tokenizer);
  const tokenizer = new ByteTokenizer();
  const config = configOf(settings, spec.kind === 'bpe' ? spec.vocabularySize : tokenizer.vocabularySize);
  const { batch, context, accumulate, seed, weightDecay, clip, beta2 } = settings;
  const length = 2 * batch * context + 1;
  const source: TokenSource = { length, read: async (_, count) => tokenArray(config.vocabSize, count) };
  const model = new Llama(new Initializer(device, seed), config);
  const options = { batch, context, accumulate, seed, optimizer: { weightDecay, clip, beta2 } };
  const trainer = new Trainer(device, model, source, options);
  await scope(device, async () => full(device, [384, 384], 0.5).matmul(full(device, [384, 384], 0.5)));
  for (let step = 0; step < 2; step++) await trainer.step(settings.lr);
  await evaluate(device, model, source, new Int32Array(config.vocabSize), { batch, context });
  for (const prompt of ['', 'Call me Ishmael.']) {
    for await (const _ of generate(device, model, tokenizer, { prompt, maxTokens: 3, seed }));
  }
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
