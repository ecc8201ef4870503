import { describe, expect, test } from 'vitest';
import { geglu, gelu, prelu, relu2, xielu } from '../../src/activations/index.js';
import type { Device } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { gateOf } from '../../src/formats/hugging-face/activation-names.js';
import { Mode } from '../../src/layers/mode.js';
import type { CausalModel } from '../../src/models/causal-model.js';
import { type GemmaOptions, gemma, gemmaConfig, gemmaShape } from '../../src/models/gemma.js';
import { type Gpt2Options, gpt2, gpt2Config, gpt2Shape } from '../../src/models/gpt2.js';
import { type Qwen2Options, qwen2, qwen2Config, qwen2Shape } from '../../src/models/qwen2.js';
import { decoderTrainingBytes, summarizeDecoder } from '../../src/models/summary.js';
import { gradcheck, noGrad, tensor } from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';
import { shake, valuesOf } from '../layers/support.js';

const device = await openReference();
const tiny = { vocabSize: 5, dim: 4, layers: 1, heads: 2, context: 6, hidden: 3 };
const tokens = (...ids: number[]) => tensor(device, Int32Array.from(ids), [1, ids.length]);

const makers: readonly (readonly [string, (device: Device) => CausalModel])[] = [
  ['gpt2', (on) => gpt2(on, tiny)],
  ['qwen2', (on) => qwen2(on, { ...tiny, kvHeads: 1 })],
  ['gemma', (on) => gemma(on, { ...tiny, kvHeads: 1, headDim: 4 })],
];

describe('the gradients of central differences', () => {
  const variants: readonly (readonly [string, () => CausalModel])[] = [
    ...makers.map(([name, make]) => [name, () => make(device)] as const),
    ['gpt2 with dropout everywhere', () => gpt2(device, { ...tiny, dropout: 0.3 })],
    ['gpt2 of xielu', () => gpt2(device, { ...tiny, activation: xielu })],
    ['qwen2 gated by prelu, with dropout', () => qwen2(device, { ...tiny, feedForward: gateOf(prelu), dropout: 0.3 })],
    ['gemma with biases', () => gemma(device, { ...tiny, attentionBias: true, feedForward: geglu })],
  ];
  test.each(variants)('are those of %s', async (_, make) => {
    const model = shake(make());
    const [inputs, targets] = [tokens(3, 0, 4), tokens(0, 4, 1)];
    const loss = () => crossEntropy(model.forward(inputs, Mode.training(1, 1)), targets).sum();
    const { compared } = await gradcheck(loss, model.parameters());
    expect(compared).toBe(model.parameterCount);
  });
});

describe.each(makers)('%s', (_, make) => {
  const model = shake(make(device));
  const ids = [3, 1, 0, 4, 4, 2];
  const logits = (...some: number[]): Promise<number[]> =>
    valuesOf(noGrad(() => model.forward(tokens(...some), Mode.evaluation())));

  test.each([
    [[1, 1, 1, 1, 1, 1]],
    [[4, 1, 1]],
    [[2, 3, 1]],
  ])('gives with a cache, in parts of %j tokens, what the whole text gives', async (parts) => {
    const whole = await logits(...ids);
    const caches = model.makeCaches(1);
    const pieces: number[] = [];
    let start = 0;
    for (const length of parts) {
      const part = tokens(...ids.slice(start, start + length));
      pieces.push(...(await valuesOf(noGrad(() => model.forward(part, Mode.evaluation(), caches)))));
      start += length;
    }
    pieces.forEach((value, i) => {
      expect(value).toBeCloseTo(whole[i] ?? 0, 11);
    });
    expect(pieces.length).toBe(whole.length);
  });

  test('goes on, with a cache that took other sequences, as their own texts do', async () => {
    const caches = model.makeCaches(2);
    const both = tensor(device, Int32Array.from([3, 1, 2, 4]), [2, 2]);
    noGrad(() => model.forward(both, Mode.evaluation(), caches)).dispose();
    for (const cache of caches) cache.take([1, 1, 0]);
    const next = tensor(device, Int32Array.from([0, 2, 4]), [3, 1]);
    const found = await valuesOf(noGrad(() => model.forward(next, Mode.evaluation(), caches)));
    const alone = [await logits(2, 4, 0), await logits(2, 4, 2), await logits(3, 1, 4)];
    alone.forEach((wanted, row) => {
      wanted.slice(-5).forEach((value, i) => {
        expect(found[5 * row + i]).toBeCloseTo(value, 11);
      });
    });
  });

  test('predicts from what came before alone', async () => {
    const [a, b] = [await logits(1, 2, 3, 4), await logits(1, 2, 0, 0)];
    expect(b.slice(0, 10)).toEqual(a.slice(0, 10));
    expect(b.slice(10)).not.toEqual(a.slice(10));
  });

  test('refuses a text longer than its positions', () => {
    expect(() => model.forward(tokens(1, 1, 1, 1, 1, 1, 1), Mode.evaluation())).toThrow(/at most.*received 7/);
  });
});

describe('what a model costs', () => {
  const shapes = [
    [
      'gpt2',
      gpt2Shape(gpt2Config({ ...tiny, layers: 3, activation: xielu })),
      () => gpt2(device, { ...tiny, layers: 3, activation: xielu }),
    ],
    ['qwen2', qwen2Shape(qwen2Config({ ...tiny, kvHeads: 1 })), () => qwen2(device, { ...tiny, kvHeads: 1 })],
    [
      'gemma',
      gemmaShape(gemmaConfig({ ...tiny, headDim: 6, attentionBias: true })),
      () => gemma(device, { ...tiny, headDim: 6, attentionBias: true }),
    ],
  ] as const;
  test.each(shapes)('counts the parameters of a %s', (_, shape, make) => {
    expect(summarizeDecoder(shape).parameters).toBe(make().parameterCount);
  });

  test('counts the weights of attention that dropout holds', () => {
    const bytes = (dropout: number): number =>
      decoderTrainingBytes(gpt2Shape(gpt2Config({ ...tiny, layers: 2, dropout })), 60);
    const scores = 4 * 4 * 60 * tiny.heads * tiny.context * 2;
    expect(bytes(0.1) - bytes(0)).toBeGreaterThanOrEqual(scores);
  });
});

describe('a configuration', () => {
  test.each<[string, () => unknown, RegExp]>([
    [
      'of a GPT-2 whose heads do not divide',
      () => gpt2Config({ ...tiny, heads: 3 }),
      /heads divides dim 4, received 3/,
    ],
    [
      'of a GPT-2 of no layers',
      () => gpt2Config({ ...tiny, layers: 0 }),
      /layers of a GPT-2 is a whole number from 1 on/,
    ],
    ['of a Qwen2 of half a head', () => qwen2Config({ ...tiny, heads: 2.5 }), /heads of a Qwen2 is a whole number/],
    ['of a Gemma whose key heads do not divide', () => gemmaConfig({ ...tiny, kvHeads: 3 }), /kvHeads divides heads 2/],
    [
      'with an unknown option',
      () => gpt2Config({ ...tiny, activatoin: gelu } as unknown as Gpt2Options),
      /activatoin.*activation/,
    ],
    ['of an odd head', () => gemma(device, { ...tiny, headDim: 5 } as GemmaOptions), /even width, received 5/],
  ])('%s is refused', (_, make, message) => {
    expect(make).toThrow(message);
  });

  test('with a plain block has its usual width of four times the dim', () => {
    const { hidden: _, ...open } = tiny;
    expect(gpt2Config({ ...open, activation: relu2 }).hidden).toBe(16);
    expect(qwen2Config({ ...open } as Qwen2Options).intermediateSize).toBe(16);
  });
});
