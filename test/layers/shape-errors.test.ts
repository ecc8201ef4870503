import { describe, expect, test } from 'vitest';
import { prelu, silu, swiglu } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { Attention } from '../../src/layers/attention.js';
import { Embedding } from '../../src/layers/embedding.js';
import { FeedForward, GatedFeedForward } from '../../src/layers/feed-forward.js';
import { FormulaLayer } from '../../src/layers/formula-layer.js';
import { KeyValueCache } from '../../src/layers/key-value-cache.js';
import { Layer } from '../../src/layers/layer.js';
import { Linear } from '../../src/layers/linear.js';
import { Mode } from '../../src/layers/mode.js';
import { LayerNorm, RmsNorm } from '../../src/layers/normalization.js';
import { RotaryEmbedding } from '../../src/layers/rope.js';
import { llama } from '../../src/models/llama.js';
import { full, ones, type Tensor } from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';
import { initializer } from './support.js';

const device = await openReference();
const init = initializer(device);
const quiet = Mode.evaluation();
const x = (...shape: number[]): Tensor => ones(device, shape);
const ids = (...shape: number[]): Tensor => full(device, shape, 1, { dtype: 'int32' });

const block = new GatedFeedForward(init, 128, 352, swiglu);
const attention = new Attention(init, 8, { heads: 2 });
const model = llama(device, { vocabSize: 5, dim: 4, layers: 1, heads: 2, context: 4 });
const cache = new KeyValueCache(device, { batch: 2, positions: 4, keyValueHeads: 2, headDim: 4 });

/** The mistake that LLaMA's block invites: down(act(gate x)) * up x. */
class Misplaced extends Layer {
  readonly gateProj = new Linear(init, 128, 352);
  readonly upProj = new Linear(init, 128, 352);
  readonly downProj = new Linear(init, 352, 128);

  forward(input: Tensor): Tensor {
    return this.downProj.forward(this.gateProj.forward(input).map(silu)).mul(this.upProj.forward(input));
  }
}

/** What is called how, the layer or operation that the error names, and the two shapes in it. */
const mistakes: readonly (readonly [string, () => unknown, string, string, string])[] = [
  ['linear', () => new Linear(init, 3, 2).forward(x(2, 4)), 'a linear layer', '[2, 3]', '[2, 4]'],
  ['RMSNorm', () => new RmsNorm(init, 5).forward(x(2, 4)), 'an RMSNorm', '[5]', '[2, 4]'],
  ['LayerNorm', () => new LayerNorm(init, 5).forward(x(5, 1)), 'a LayerNorm', '[5]', '[5, 1]'],
  [
    'rotary embedding',
    () => new RotaryEmbedding(device, 7, 6, 1e4).forward(x(1, 2, 3, 4)),
    'rotary embedding',
    'headDim 6',
    '[1, 2, 3, 4]',
  ],
  [
    'rotary embedding of three axes',
    () => new RotaryEmbedding(device, 7, 6, 1e4).forward(x(1, 2, 6)),
    'rotary embedding',
    '[batch, time, heads, headDim 6]',
    '[1, 2, 6]',
  ],
  ['cross-entropy', () => crossEntropy(x(2, 3, 5), ids(2, 4)), 'crossEntropy', '[2, 3, 5]', '[2, 4]'],
  ['cross-entropy of a class for each logit', () => crossEntropy(x(2, 3), ids(2, 3)), 'crossEntropy', '[2]', '[2, 3]'],
  [
    'plain feed-forward',
    () => new FeedForward(init, 4, 6, silu).forward(x(2, 6), quiet),
    'a feed-forward block',
    '[6, 4]',
    '[2, 6]',
  ],
  ['gated feed-forward', () => block.forward(x(4, 352), quiet), 'a gated feed-forward block', '[352, 128]', '[4, 352]'],
  ['a product outside the brackets', () => new Misplaced().forward(x(4, 128)), 'mul', '[4, 128]', '[4, 352]'],
  [
    'a gate after the projection',
    () => block.actFn.forward(quiet, x(4, 128), x(4, 352)),
    'swiglu',
    '[4, 128]',
    '[4, 352]',
  ],
  [
    'a projection before the product',
    () => block.downProj.forward(x(4, 128)),
    'a linear layer',
    '[128, 352]',
    '[4, 128]',
  ],
  [
    'an activation per channel',
    () => new FormulaLayer(init, prelu, 6).forward(quiet, x(6, 1)),
    'prelu per channel',
    '[6]',
    '[6, 1]',
  ],
  ['attention', () => attention.forward(x(2, 3, 6)), 'attention', '[batch, time, dim 8]', '[2, 3, 6]'],
  ['attention without a batch', () => attention.forward(x(3, 8)), 'attention', '[batch, time, dim 8]', '[3, 8]'],
  [
    'attention over a source',
    () => attention.forward(x(2, 3, 8), { source: x(1, 3, 8) }),
    'attention over a source',
    '[batch 2, time, dim 8]',
    '[1, 3, 8]',
  ],
  [
    'a cache',
    () => cache.append(x(1, 1, 2, 4), x(1, 1, 2, 4)),
    'a key/value cache',
    '[batch 2, time 1, keyValueHeads 2, headDim 4]',
    '[1, 1, 2, 4]',
  ],
  [
    'a cache of values',
    () => cache.append(x(2, 1, 2, 4), x(2, 3, 2, 4)),
    'a key/value cache',
    'time 1',
    '[2, 3, 2, 4]',
  ],
  ['a model', () => model.forward(ids(3), quiet), 'a LLaMA', '[batch, time]', '[3]'],
];

describe('shapes that do not match', () => {
  test.each(mistakes)('are an error that names the layer or operation and both: %s', (_, use, name, one, other) => {
    expect(use).toThrow(expect.objectContaining({ code: 'shape', message: expect.stringContaining(`${name} `) }));
    expect(use).toThrow(one);
    expect(use).toThrow(other);
  });

  test('outside the brackets are asked about', () => {
    for (const use of [() => new Misplaced().forward(x(4, 128)), () => block.downProj.forward(x(4, 128))]) {
      expect(use).toThrow(/is an operand outside the brackets it belongs in\?/i);
    }
  });
});

test('tokens that are no int32 are refused in the name of the embedding', () => {
  expect(() => new Embedding(init, 4, 2).forward(x(1, 3))).toThrow(
    /^an embedding of weight \[4, 2\] takes int32 tokens, received "float32 \[1, 3\]"/,
  );
});
