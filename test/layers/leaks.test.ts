import { afterEach, describe, expect, test } from 'vitest';
import { rrelu, swiglu, xielu } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { Attention } from '../../src/layers/attention.js';
import { dropout } from '../../src/layers/dropout.js';
import { Embedding } from '../../src/layers/embedding.js';
import { FeedForward, GatedFeedForward } from '../../src/layers/feed-forward.js';
import { FormulaLayer } from '../../src/layers/formula-layer.js';
import { Linear } from '../../src/layers/linear.js';
import { Mode } from '../../src/layers/mode.js';
import { LayerNorm, RmsNorm } from '../../src/layers/normalization.js';
import { RotaryEmbedding } from '../../src/layers/rope.js';
import { llama } from '../../src/models/llama.js';
import { variable } from '../../src/scalar/expression.js';
import {
  attention,
  concat,
  endStep,
  full,
  memory,
  noGrad,
  ones,
  rowTensors,
  stack,
  type Tensor,
} from '../../src/tensor/index.js';
import { crossEntropy } from '../../src/training/losses.js';
import { batchLoss } from '../../src/training/trainer.js';
import { initializer } from './support.js';

const device = await openReference();
const init = initializer(device);
const leaf = (...shape: number[]): Tensor => init.normal(shape, 1);
const ids = (value: number, ...shape: number[]): Tensor => full(device, shape, value, { dtype: 'int32' }).keep();

const [x, m, heads] = [leaf(2, 3, 4), leaf(4, 4), leaf(1, 3, 2, 4)];
const [tokens, strangers, one, long] = [ids(1, 2, 3), ids(9, 2, 3), ids(1, 2, 1), ids(1, 2, 6)];
const linear = new Linear(init, 4, 4, { bias: true });
const selfAttention = new Attention(init, 4, { heads: 2, bias: true });
const [rms, norm] = [new RmsNorm(init, 4), new LayerNorm(init, 4)];
const embedding = new Embedding(init, 5, 4);
const [rope, halfRope] = [4, 2].map((width) => new RotaryEmbedding(device, 4, width, 1e4)) as Two;
type Two = [RotaryEmbedding, RotaryEmbedding];
const [noisy, learned] = [new FormulaLayer(init, rrelu), new FormulaLayer(init, xielu, 4)];
const gated = new GatedFeedForward(init, 4, 6, swiglu, { dropout: 0.5 });
const plain = new FeedForward(init, 4, 6, xielu, { dropout: 0.5 });
const model = llama(device, { vocabSize: 5, dim: 4, layers: 2, heads: 2, context: 4, dropout: 0.2 });
const layers = [linear, selfAttention, rms, norm, embedding, noisy, learned, gated, plain, model];
const leaves = [x, m, heads, ...layers.flatMap((layer) => layer.parameters())];
const training = Mode.training(0, 0);
const caches = model.makeCaches(2);
const batch = { batch: 1, context: 2, inputs: Int32Array.of(1, 2), targets: Int32Array.of(2, -100) };

afterEach(() => {
  for (const cache of caches) cache.clear();
  for (let step = 0; step < 3; step++) endStep(device);
});

describe('a library call', () => {
  test.each<[string, () => Tensor]>([
    ['a product with a vector of views', () => x.matmul(m.transpose(0, 1).select(0, 1))],
    ['a mean', () => x.mean([0, 2])],
    ['amax', () => x.amax(1)],
    ['softmax along another axis', () => x.softmax(0)],
    ['logSoftmax', () => x.logSoftmax()],
    ['gather of a transposed table', () => m.transpose(0, 1).gather(tokens)],
    ['attention', () => attention(heads, heads, heads)],
    ['attention of windows', () => attention(heads.slice(3, 0, 2), heads.slice(3, 2, 4), heads.slice(3, 0, 2))],
    ['concat', () => concat([x, x])],
    ['stack', () => stack([x, x])],
    ['rows of a transposed tensor', () => rowTensors([variable('a').sum()], { elements: { a: x.transpose(1, 2) } })[0]],
    ['linear', () => linear.forward(x)],
    ['self-attention', () => selfAttention.forward(x, { rope: halfRope })],
    ['RMSNorm of a permuted tensor', () => rms.forward(x.permute([1, 0, 2]))],
    ['LayerNorm', () => norm.forward(x)],
    ['an embedding', () => embedding.forward(tokens)],
    ['rotary embedding', () => rope.forward(heads)],
    ['dropout', () => dropout(x, 0.5, training)],
    ['an activation with noise', () => noisy.forward(training, x)],
    ['a learned activation', () => learned.forward(training, x)],
    ['a gated block', () => gated.forward(x, training)],
    ['a plain block', () => plain.forward(x, training)],
    ['a model', () => model.forward(tokens, training)],
    ['a model with a cache', () => model.forward(one, Mode.evaluation(), caches)],
    ['cross-entropy', () => crossEntropy(x, tokens)],
    ['the loss of a batch', () => batchLoss(device, model, batch, training)],
  ])('leaves its result alone, and after backward() gradients of leaves: %s', (_, call) => {
    const { buffers } = memory(device);
    const result = noGrad(call);
    expect(memory(device).buffers).toBe(buffers + 1);
    result.dispose();
    expect(memory(device).buffers).toBe(buffers);
    for (const cache of caches) cache.clear();
    const differentiable = call();
    using gradient = ones(device, differentiable.shape);
    differentiable.backward(gradient);
    differentiable.dispose();
    for (const one of leaves) {
      one.requiresGrad = false;
      one.requiresGrad = true;
    }
    expect(memory(device).buffers).toBe(buffers + 1); // the gradient given
  });

  test.each<[string, () => unknown]>([
    ['gather of an index out of range', () => m.gather(strangers)],
    ['a model of tokens out of range', () => model.forward(strangers, training)],
    ['linear of another width', () => linear.forward(heads.transpose(2, 3))],
    ['rows that do not fit', () => crossEntropy(x.transpose(1, 2), tokens)],
    ['a text longer than the positions', () => model.forward(long, training)],
  ])('that fails leaves nothing: %s', (_, call) => {
    const { buffers } = memory(device);
    expect(call).toThrow(expect.objectContaining({ name: 'SluiceError' }));
    expect(memory(device).buffers).toBe(buffers);
  });
});

test('the activations of a model go layer by layer where no gradient is wanted', async () => {
  const peakOf = async (count: number): Promise<number> => {
    const own = await openReference();
    const deep = llama(own, { vocabSize: 5, dim: 8, layers: count, heads: 2, context: 8 });
    const { liveBytes } = memory(own);
    noGrad(() => deep.forward(full(own, [4, 8], 1, { dtype: 'int32' }), Mode.evaluation())).dispose();
    const peak = memory(own).peakBytes - liveBytes;
    await own.close();
    return peak;
  };
  const stream = 8 * 4 * 8 * 8; // what one layer hands to the next
  expect((await peakOf(9)) - (await peakOf(1))).toBeLessThanOrEqual(8 * stream);
});

test('the logits of a micro-batch go with its backward()', async () => {
  const heldAfter = (): number => {
    const { liveBytes } = memory(device);
    const loss = batchLoss(device, model, batch, training);
    loss.backward();
    return memory(device).liveBytes - liveBytes;
  };
  heldAfter();
  expect(heldAfter()).toBe(8); // the loss alone, once the leaves have their gradients
});
