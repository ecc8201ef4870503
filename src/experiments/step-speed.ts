import { swiglu } from '../activations/gates.js';
import { randomKey } from '../base/random.js';
import { MemoryTokens } from '../data/token-source.js';
import { parseTokenizerSpec } from '../data/tokenizer-spec.js';
import type { Device } from '../devices/device.js';
import { GatedFeedForward } from '../layers/feed-forward.js';
import { Initializer } from '../layers/initialization.js';
import { Mode } from '../layers/mode.js';
import { Llama } from '../models/llama.js';
import { summarize } from '../models/summary.js';
import { complete } from '../runs/complete.js';
import { configOf } from '../runs/model.js';
import { presetNamed } from '../runs/presets.js';
import { rand, scope, type Tensor } from '../tensor/index.js';
import { Trainer } from '../training/trainer.js';

/** How long a piece of work takes, and the FLOPs of its matrix products in that time. */
export interface StepSpeed {
  readonly milliseconds: number;
  readonly gigaflops: number;
}

const speed = (milliseconds: number, flops: number): StepSpeed => ({
  milliseconds,
  gigaflops: flops / (milliseconds * 1e6),
});

/** The median time of a call in milliseconds, after one that is not timed. */
async function timed(device: Device, repetitions: number, call: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i <= repetitions; i++) {
    const began = performance.now();
    await call();
    await device.synchronize();
    if (i > 0) times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;
}

const draw = (device: Device, shape: readonly number[], step: number): Tensor =>
  rand(device, shape, randomKey(0, 'evaluation', step));

/** Times the product of two square matrices. */
export async function productSpeed(device: Device, size: number, repetitions: number): Promise<StepSpeed> {
  const [a, b] = [draw(device, [size, size], 0), draw(device, [size, size], 1)];
  const milliseconds = await timed(device, repetitions, () => scope(device, () => void a.matmul(b)));
  a.dispose();
  b.dispose();
  return speed(milliseconds, 2 * size ** 3);
}

export interface BlockSize {
  readonly tokens: number;
  readonly dim: number;
  readonly hidden: number;
}

/** Times a SwiGLU block, forward and backward: the gradients by the input and all three weights. */
export async function feedForwardSpeed(device: Device, size: BlockSize, repetitions: number): Promise<StepSpeed> {
  const { tokens, dim, hidden } = size;
  const block = new GatedFeedForward(new Initializer(device, 0), dim, hidden, swiglu);
  const [x, gradient] = [draw(device, [tokens, dim], 0), draw(device, [tokens, dim], 1)];
  x.requiresGrad = true;
  const leaves = [x, ...block.parameters()];
  const milliseconds = await timed(device, repetitions, () =>
    scope(device, () => {
      for (const leaf of leaves) leaf.zeroGrad();
      block.forward(x, Mode.evaluation()).backward(gradient);
    }),
  );
  for (const tensor of [...leaves, gradient]) tensor.dispose();
  return speed(milliseconds, 18 * tokens * dim * hidden);
}

export interface TrainingSpeed extends StepSpeed {
  readonly tokensPerSecond: number;
}

/** Times an optimizer step of the demo's model, with this many layers and sequences in a batch. */
export async function trainingSpeed(
  device: Device,
  size: { readonly layers?: number; readonly batch?: number },
  repetitions: number,
): Promise<TrainingSpeed> {
  const settings = complete({ ...presetNamed('demo'), ...size });
  const { seed, batch, context, lr, tokenizer } = settings;
  const spec = parseTokenizerSpec(tokenizer);
  const vocabulary = spec.kind === 'bpe' ? spec.vocabularySize : 256;
  const config = configOf(settings, vocabulary);
  const source = new MemoryTokens(Array.from({ length: 8 * context }, (_, i) => (i * i) % vocabulary));
  const model = new Llama(new Initializer(device, seed), config);
  const trainer = new Trainer(device, model, source, { batch, context, accumulate: 1, seed });
  const milliseconds = await timed(device, repetitions, () => trainer.step(lr));
  const tokens = batch * context;
  const flops = tokens * summarize(config, context).trainingFlopsPerToken;
  return { ...speed(milliseconds, flops), tokensPerSecond: (1000 * tokens) / milliseconds };
}
