import { EventLoop } from '../base/event-loop.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import { type SequentialOptions, sequentialBatches, streamedBatches, targetBytes } from '../data/batches.js';
import type { TokenSource } from '../data/token-source.js';
import type { Device } from '../devices/device.js';
import { Mode } from '../layers/mode.js';
import type { CausalModel } from '../models/causal-model.js';
import { noGrad, scope } from '../tensor/index.js';
import { batchLoss } from './trainer.js';

export interface Evaluation {
  /** Mean loss per token, in nats. */
  readonly loss: number;
  readonly perplexity: number;
  /** Bits per byte of text: comparable across tokenizers. */
  readonly bitsPerByte: number;
  readonly tokens: number;
  readonly bytes: number;
}

export interface EvaluateOptions extends SequentialOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (share: number) => void;
}

const evaluateOptions = {
  batch: 0,
  context: 0,
  maximumTokens: 0,
  signal: undefined,
  onProgress: undefined,
} satisfies OptionNames<EvaluateOptions>;

/**
 * The loss of a model on a text, in windows side by side: every token but the first is predicted once. A model that
 * carries its state reads in order, as it was trained.
 */
export async function evaluate(
  device: Device,
  model: CausalModel,
  source: TokenSource,
  byteLengths: Int32Array,
  options: EvaluateOptions,
): Promise<Evaluation> {
  checkOptions('evaluate', options, evaluateOptions);
  let [nats, tokens, bytes] = [0, 0, 0];
  const expected = Math.min(source.length - 1, options.maximumTokens ?? source.length);
  const eventLoop = new EventLoop();
  const batches = model.carries === true ? streamedBatches : sequentialBatches;
  const caches = model.carries === true ? model.makeCaches(options.batch) : undefined;
  try {
    for await (const batch of batches(source, options)) {
      await eventLoop.look(options.signal);
      // Both end before the wait: what else trains meanwhile records its graph and keeps its tensors.
      const loss = scope(device, () => noGrad(() => batchLoss(device, model, batch, Mode.evaluation(), caches)));
      nats += await loss.item().finally(() => loss.dispose());
      tokens += batch.tokens;
      bytes += targetBytes(batch.targets, byteLengths);
      options.onProgress?.(Math.min(1, tokens / expected));
    }
  } finally {
    for (const cache of caches ?? []) cache.dispose();
  }
  const loss = nats / tokens;
  return { loss, perplexity: Math.exp(loss), bitsPerByte: nats / Math.LN2 / bytes, tokens, bytes };
}
