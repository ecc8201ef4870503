import { describe, expect, test } from 'vitest';
import { gelu, relu2, silu, swiglu, xielu } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { gateOf } from '../../src/formats/hugging-face/activation-names.js';
import { Mode } from '../../src/layers/mode.js';
import { type LlamaOptions, llama, llamaConfig } from '../../src/models/llama.js';
import { summarize, trainingBytes } from '../../src/models/summary.js';
import { gradcheck, noGrad, tensor } from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';
import { shake, valuesOf } from '../layers/support.js';

const device = await openReference();
const tiny: LlamaOptions = { vocabSize: 5, dim: 4, layers: 2, heads: 2, kvHeads: 1, context: 4, hidden: 3 };
const tokens = (...ids: number[]) => tensor(device, Int32Array.from(ids), [1, ids.length]);

describe('the whole model', () => {
  test.each<[string, Partial<LlamaOptions>]>([
    ['llama', {}],
    ['llama with dropout', { dropout: 0.3, layers: 1 }],
    ['llama with a learned beta', { feedForward: swiglu.with({ beta: 'learned' }), layers: 1 }],
    ['llama gated by xielu', { feedForward: gateOf(xielu), layers: 1 }],
    ['arcee', { feedForward: relu2 }],
    ['arcee of gelu, a head of its own for each key', { feedForward: gelu, kvHeads: 2, layers: 1 }],
  ])('has the gradients of central differences: %s', async (_, options) => {
    const model = shake(llama(device, { ...tiny, ...options }));
    const [inputs, targets] = [tokens(3, 0, 4), tokens(0, 4, 1)];
    const loss = () => crossEntropy(model.forward(inputs, Mode.training(1, 1)), targets).sum();
    const { compared } = await gradcheck(loss, model.parameters());
    expect(compared).toBe(model.parameterCount);
  });

  test.each([
    [[1, 1, 1, 1, 1, 1]],
    [[4, 1, 1]],
    [[2, 3, 1]],
  ])('gives with a cache, in parts of %j tokens, what the whole text gives', async (parts) => {
    const model = shake(llama(device, { ...tiny, vocabSize: 11, dim: 8, heads: 4, kvHeads: 2, context: 6 }));
    const ids = [3, 10, 0, 7, 7, 2];
    const whole = await valuesOf(noGrad(() => model.forward(tokens(...ids), Mode.evaluation())));
    const caches = model.makeCaches(1);
    const pieces: number[] = [];
    let start = 0;
    for (const length of parts) {
      const part = tokens(...ids.slice(start, start + length));
      pieces.push(...(await valuesOf(noGrad(() => model.forward(part, Mode.evaluation(), caches)))));
      start += length;
    }
    expect(pieces.length).toBe(whole.length);
    pieces.forEach((value, i) => {
      expect(value).toBeCloseTo(whole[i] ?? 0, 11);
    });
  });

  test('predicts from what came before alone', async () => {
    const model = shake(llama(device, tiny));
    const [one, other] = [tokens(1, 2, 3, 4), tokens(1, 2, 0, 0)];
    const [a, b] = [
      await valuesOf(model.forward(one, Mode.evaluation())),
      await valuesOf(model.forward(other, Mode.evaluation())),
    ];
    expect(b.slice(0, 10)).toEqual(a.slice(0, 10));
    expect(b.slice(10)).not.toEqual(a.slice(10));
  });

  test('refuses a text longer than its positions', () => {
    const model = llama(device, tiny);
    expect(() => model.forward(tokens(1, 1, 1, 1, 1), Mode.evaluation())).toThrow(/at most 4 positions, received 5/);
  });

  test('has Hugging Face names, and a head of its own only when weights are not tied', () => {
    const names = llama(device, tiny)
      .namedParameters()
      .map(({ name }) => name);
    expect(names).toEqual([
      'model.embed_tokens.weight',
      ...[0, 1].flatMap((i) =>
        [
          'input_layernorm.weight',
          ...['q', 'k', 'v', 'o'].map((part) => `self_attn.${part}_proj.weight`),
          'post_attention_layernorm.weight',
          ...['gate', 'up', 'down'].map((part) => `mlp.${part}_proj.weight`),
        ].map((name) => `model.layers.${i}.${name}`),
      ),
      'model.norm.weight',
    ]);
  });

  test('lets only the matrices of its products decay', () => {
    const model = llama(device, { ...tiny, feedForward: gateOf(xielu) });
    const decayed = model.namedParameters().filter(({ decay }) => decay);
    expect(decayed).toHaveLength(14);
    for (const { name } of decayed) expect(name).toMatch(/_proj\.weight$/);
  });

  test('starts the same for equal seeds, and with the projections to the residual stream smaller', async () => {
    const options = { ...tiny, dim: 64, heads: 4, hidden: 96, layers: 8, vocabSize: 50 };
    const [a, b, c] = [llama(device, options), llama(device, options), llama(device, { ...options, seed: 1 })];
    const [first, same, other] = await Promise.all(
      [a, b, c].map((model) => valuesOf(model.parameters()[2] ?? model.parameters()[0] ?? tokens(0))),
    );
    expect(same).toEqual(first);
    expect(other).not.toEqual(first);
    for (const { name, tensor: weight } of a.namedParameters()) {
      if (!name.endsWith('_proj.weight')) continue;
      const values = await valuesOf(weight);
      const deviation = Math.sqrt(values.reduce((sum, x) => sum + x * x, 0) / values.length);
      const wanted = /[.](o|down)_proj/.test(name) ? 0.02 / 4 : 0.02;
      expect(Math.abs(deviation / wanted - 1), name).toBeLessThan(5 / Math.sqrt(2 * values.length));
    }
  });

  test.each<[Partial<LlamaOptions>, RegExp]>([
    [{ heads: 3 }, /even whole number, received "4 \/ 3 = 1\.333"\. Try heads 1\./],
    [{ dim: 96, heads: 5 }, /received "96 \/ 5 = 19\.2"\. Try heads 3\./],
    [{ dim: 33, heads: 3 }, /Choose an even dim\./],
    [{ dim: -4 }, /dim of a LLaMA is a whole number from 1 on, received -4/],
    [{ heads: 4 }, /even whole number, received "4 \/ 4 = 1"/],
    [{ kvHeads: 3 }, /kvHeads divides heads 2, received 3/],
    [{ layers: 0 }, /layers of a LLaMA is a whole number from 1 on, received 0/],
    [{ hidden: 2.5 }, /hidden of a LLaMA is a whole number/],
  ])('of %o is refused', (options, message) => {
    expect(() => llamaConfig({ ...tiny, ...options })).toThrow(message);
  });
});

describe('the summary', () => {
  test.each<[string, Partial<LlamaOptions>]>([
    ['llama', {}],
    ['arcee', { feedForward: relu2 }],
    ['learned parameters', { feedForward: gateOf(xielu), layers: 3 }],
    ['grouped heads', { dim: 16, heads: 4, kvHeads: 2 }],
  ])('counts the parameters of the model: %s', (_, options) => {
    const model = llama(device, { ...tiny, ...options });
    expect(summarize(model.config).parameters).toBe(model.parameterCount);
  });

  test('counts the parameters of a head of its own', () => {
    const config = { ...llamaConfig(tiny), tieWordEmbeddings: false };
    expect(summarize(config).parameters - summarize({ ...config, tieWordEmbeddings: true }).parameters).toBe(20);
  });

  test('says FLOPs by hand', () => {
    const config = llamaConfig({
      vocabSize: 100,
      dim: 64,
      layers: 2,
      heads: 4,
      context: 32,
      hidden: 48,
      feedForward: gateOf(silu),
    });
    const products = 2 * (4 * 64 * 64 + 3 * 64 * 48) + 100 * 64;
    const { trainingFlopsPerToken, generationFlopsPerToken, productParameters } = summarize(config, 16);
    expect(productParameters).toBe(products);
    // A score and its weighting cost 2 FLOPs each a channel, over half of the context; the backward pass twice that.
    expect(trainingFlopsPerToken).toBe(6 * products + 2 * 3 * 2 * 2 * 64 * 8);
    expect(generationFlopsPerToken).toBe(2 * products + 2 * 2 * 2 * 64 * 8);
  });

  test('needs more memory for more of anything', () => {
    const bytes = (options: Partial<LlamaOptions>, batch = 2, context = 4): number =>
      trainingBytes(llamaConfig({ ...tiny, ...options }), batch, context);
    const least = bytes({});
    for (const more of [
      bytes({ dim: 8 }),
      bytes({ layers: 3 }),
      bytes({ vocabSize: 50 }),
      bytes({}, 3),
      bytes({}, 2, 5),
    ]) {
      expect(more).toBeGreaterThan(least);
    }
  });
});
