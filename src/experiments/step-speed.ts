import { swiglu } from '../activations/gates.js';
import type { Activation, Gate } from '../activations/kinds.js';
import { randomKey } from '../base/random.js';
import { MemoryTokens } from '../data/token-source.js';
import { parseTokenizerSpec } from '../data/tokenizer-spec.js';
import type { Device } from '../devices/device.js';
import { FeedForward, GatedFeedForward } from '../layers/feed-forward.js';
import { Initializer } from '../layers/initialization.js';
import { Mode } from '../layers/mode.js';
import { Llama, type LlamaConfig } from '../models/llama.js';
import { summarize } from '../models/summary.js';
import { configOf } from '../runs/model.js';
import { complete, presetNamed } from '../runs/presets.js';
import type { Settings } from '../runs/settings.js';
import { noGrad, rand, scope, type Tensor, tensor } from '../tensor/index.js';
import { Trainer } from '../training/trainer.js';

/** How long a piece of work takes, and the FLOPs of its matrix products in that time. */
export interface StepSpeed {
  readonly milliseconds: number;
  readonly gigaflops: number;
}

export const stepSpeed = (milliseconds: number, flops: number): StepSpeed => ({
  milliseconds,
  gigaflops: flops / (milliseconds * 1e6),
});

const middle = (times: number[]): number => times.sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? Number.NaN;

/** The median time of a call in milliseconds, after one that is not timed. */
async function timed(device: Device, repetitions: number, call: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i <= repetitions; i++) {
    const began = performance.now();
    await call();
    await device.synchronize();
    if (i > 0) times.push(performance.now() - began);
  }
  return middle(times);
}

const draw = (device: Device, shape: readonly number[], step: number): Tensor =>
  rand(device, shape, randomKey(0, 'evaluation', step));

/** Times the product of two square matrices. */
export async function productSpeed(device: Device, size: number, repetitions: number): Promise<StepSpeed> {
  const [a, b] = [draw(device, [size, size], 0), draw(device, [size, size], 1)];
  const milliseconds = await timed(device, repetitions, () => scope(device, () => void a.matmul(b)));
  a.dispose();
  b.dispose();
  return stepSpeed(milliseconds, 2 * size ** 3);
}

/** GB/s at which so many float32 are read and summed. */
export async function readSpeed(device: Device, elements: number, repetitions: number): Promise<number> {
  const length = Math.min(8192, elements);
  const x = draw(device, [Math.floor(elements / length), length], 0);
  const milliseconds = await timed(device, repetitions, () => scope(device, () => void x.sum(1)));
  x.dispose();
  return (4 * elements) / (milliseconds * 1e6);
}

export interface BlockSize {
  readonly tokens: number;
  readonly dim: number;
  /** Of a gated block; a plain one is half as wide again, so that both have as many parameters. */
  readonly hidden: number;
}

/** Times a feed-forward block, forward and backward: the gradients by the input and all its weights. */
export async function feedForwardSpeed(
  device: Device,
  size: BlockSize,
  repetitions: number,
  formula: Gate | Activation = swiglu,
): Promise<StepSpeed> {
  const { tokens, dim, hidden } = size;
  const init = new Initializer(device, 0);
  const block =
    formula.kind === 'gate'
      ? new GatedFeedForward(init, dim, hidden, formula)
      : new FeedForward(init, dim, (3 * hidden) / 2, formula);
  const [x, gradient] = [draw(device, [tokens, dim], 0), draw(device, [tokens, dim], 1)];
  x.requiresGrad = true;
  const leaves = [x, ...block.parameters()];
  const mode = Mode.training(0, 0);
  const milliseconds = await timed(device, repetitions, () =>
    scope(device, () => {
      for (const leaf of leaves) leaf.zeroGrad();
      block.forward(x, mode).backward(gradient);
    }),
  );
  for (const leaf of [...leaves, gradient]) leaf.dispose();
  return stepSpeed(milliseconds, 18 * tokens * dim * hidden);
}

export interface ModelSpeed extends StepSpeed {
  readonly tokensPerSecond: number;
}

/** Changes to the demo's model, so that it is timed sooner. */
export interface DemoChanges {
  readonly layers?: number;
  readonly batch?: number;
}

export interface DemoModel {
  readonly settings: Settings;
  readonly config: LlamaConfig;
}

/** The model that `npm start` trains. */
export function demoModel(changes: DemoChanges): DemoModel {
  const settings = complete({ ...presetNamed('demo'), ...changes });
  const spec = parseTokenizerSpec(settings.tokenizer);
  return { settings, config: configOf(settings, spec.kind === 'bpe' ? spec.vocabularySize : 256) };
}

/** Times an optimizer step of the demo's model. */
export async function trainingSpeed(device: Device, demo: DemoModel, repetitions: number): Promise<ModelSpeed> {
  const { settings, config } = demo;
  const { seed, batch, context, lr } = settings;
  const source = new MemoryTokens(Array.from({ length: 8 * context }, (_, i) => (i * i) % config.vocabSize));
  const model = new Llama(new Initializer(device, seed), config);
  const trainer = new Trainer(device, model, source, { batch, context, accumulate: 1, seed });
  const milliseconds = await timed(device, repetitions, () => trainer.step(lr));
  trainer.optimizer.dispose();
  model.dispose();
  const tokens = batch * context;
  const flops = tokens * summarize(config, context).trainingFlopsPerToken;
  return { ...stepSpeed(milliseconds, flops), tokensPerSecond: (1000 * tokens) / milliseconds };
}

/** Times a token of the demo's model, one sequence with the cache of keys and values. */
export async function generationSpeed(device: Device, { config }: DemoModel, tokens: number): Promise<ModelSpeed> {
  const model = new Llama(new Initializer(device, 0), config);
  const caches = model.makeCaches(1);
  const times: number[] = [];
  for (let id = 0; id < tokens; id++) {
    const began = performance.now();
    const logits = scope(device, () =>
      noGrad(() => model.forward(tensor(device, [id], [1, 1], { dtype: 'int32' }), Mode.evaluation(), caches)),
    );
    await logits.toArray().finally(() => logits.dispose());
    times.push(performance.now() - began);
  }
  for (const cache of caches) cache.dispose();
  model.dispose();
  const milliseconds = middle(times.slice(Math.min(2, tokens - 1)));
  const flops = summarize(config, tokens / 2).generationFlopsPerToken;
  return { ...stepSpeed(milliseconds, flops), tokensPerSecond: 1000 / milliseconds };
}
