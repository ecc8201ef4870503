import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { Mode } from '../../src/layers/mode.js';
import type { CausalModel } from '../../src/models/causal-model.js';
import { gatedConvolution } from '../../src/models/gated-convolution.js';
import { gpt2 } from '../../src/models/gpt2.js';
import { llama } from '../../src/models/llama.js';
import { recurrentLanguageModel } from '../../src/models/recurrent-language-model.js';
import { type BeamOptions, beamSearch } from '../../src/runs/beam-search.js';
import { generateTokens } from '../../src/runs/generate.js';
import { beamDefaults } from '../../src/runs/sampling.js';
import { noGrad, tensor } from '../../src/tensor/index.js';
import { shake, valuesOf } from '../layers/support.js';

const device = await openReference();
const vocabSize = 4;
const sizes = { vocabSize, dim: 4, layers: 1, heads: 2, context: 16, hidden: 3 };
const models: readonly (readonly [string, CausalModel])[] = [
  ['a GPT-2', shake(gpt2(device, sizes))],
  ['a LLaMA', shake(llama(device, sizes))],
  ['an LSTM', shake(recurrentLanguageModel(device, { cell: 'lstm', vocabSize, dim: 3, hidden: 3, layers: 2 }))],
  ['a gated convolution', shake(gatedConvolution(device, { vocabSize, dim: 4, layers: 2, kernel: 3 }))],
];
const prompt = [2, 0, 1];
const options = (more: Partial<BeamOptions> = {}): BeamOptions => ({
  ...{ beams: 3, lengthPenalty: 1, repetitionPenalty: 1, maxTokens: 3, ends: new Set<number>() },
  ...more,
});

/** The sum of logarithms of probabilities of a continuation, by the model read anew. */
async function scoreOf(model: CausalModel, tokens: readonly number[]): Promise<number> {
  const all = [...prompt, ...tokens];
  const inputs = tensor(device, Int32Array.from(all.slice(0, -1)), [1, all.length - 1]);
  const rows = await valuesOf(noGrad(() => model.forward(inputs, Mode.evaluation()).logSoftmax(-1)));
  return tokens.reduce((sum, token, i) => sum + (rows[(prompt.length - 1 + i) * vocabSize + token] ?? 0), 0);
}

/** Every continuation that ends: by the end token, or by its length. */
function endings(end: number, maxTokens: number): number[][] {
  const found: number[][] = [];
  const grow = (tokens: readonly number[]): void => {
    for (let token = 0; token < vocabSize; token++) {
      const longer = [...tokens, token];
      if (token === end || longer.length === maxTokens) found.push(longer);
      else grow(longer);
    }
  };
  grow([]);
  return found;
}

describe.each(models)('a search along beams with %s', (_, model) => {
  test.each([0, 1, 3, -2])('that leaves nothing out finds the best of all texts: length penalty %d', async (power) => {
    const end = 3;
    const scored = await Promise.all(
      endings(end, 3).map(async (tokens) => ({
        tokens,
        score: (await scoreOf(model, tokens)) / tokens.length ** power,
      })),
    );
    // It stops when no beam can improve on those that ended, which with short texts preferred comes late enough here.
    const best = scored.sort((a, b) => b.score - a.score)[0]?.tokens ?? [];
    const wanted = best.at(-1) === end ? best.slice(0, -1) : best;
    const found = await beamSearch(
      device,
      model,
      prompt,
      options({ beams: 64, lengthPenalty: power, ends: new Set([end]) }),
    );
    expect(found).toEqual(wanted);
  });

  test('along one beam takes the likeliest token each time', async () => {
    const greedy: number[] = [];
    const settings = { ...beamDefaults, maxTokens: 8, ends: new Set<number>() };
    for await (const token of generateTokens(device, model, prompt, settings)) greedy.push(token);
    expect(await beamSearch(device, model, prompt, options({ beams: 1, maxTokens: 8 }))).toEqual(greedy);
  });

  test('never finds a worse text along more beams than greedily, of one length', async () => {
    const [one, many] = await Promise.all(
      [1, 4].map((beams) => beamSearch(device, model, prompt, options({ beams, maxTokens: 6 }))),
    );
    expect(await scoreOf(model, many ?? [])).toBeGreaterThanOrEqual(await scoreOf(model, one ?? []));
  });
});

describe('a search along beams', () => {
  const model = models[0]?.[1] as CausalModel;

  test('goes on from the last half of the positions when they are used up', async () => {
    const found = await beamSearch(device, model, prompt, options({ maxTokens: 30 }));
    expect(found.length).toBe(30);
  });

  test('ends where it is told to, and says only what it may', async () => {
    const isFinished = (tokens: readonly number[]): boolean => tokens.length === 2;
    expect((await beamSearch(device, model, prompt, options({ maxTokens: 9, isFinished }))).length).toBe(2);
    const found = await beamSearch(device, model, prompt, options({ maxTokens: 9, vocabulary: 2 }));
    expect(Math.max(...found)).toBeLessThan(2);
  });

  test('says less of what it said under a repetition penalty', async () => {
    const distinct = async (repetitionPenalty: number): Promise<number> =>
      new Set(await beamSearch(device, model, prompt, options({ maxTokens: 8, repetitionPenalty }))).size;
    expect(await distinct(5)).toBeGreaterThanOrEqual(await distinct(1));
  });

  test('gives back its memory when it is ended', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(beamSearch(device, model, prompt, options({ signal }))).rejects.toThrow('enough');
  });
});
