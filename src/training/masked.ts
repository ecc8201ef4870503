/** Training an encoder by hidden words, and judging it by them. */

import { SluiceError } from '../base/errors.js';
import { EventLoop } from '../base/event-loop.js';
import { randomKey } from '../base/random.js';
import { sampleBatch } from '../data/batches.js';
import { type MaskedRows, type MaskVocabulary, markRows, maskRows, windowBatches } from '../data/masking.js';
import type { TokenSource } from '../data/token-source.js';
import type { Device } from '../devices/device.js';
import { Mode } from '../layers/mode.js';
import type { Encoder } from '../models/encoder.js';
import { endStep, internal, noGrad, scope, type Tensor, tensor } from '../tensor/index.js';
import { Divergence } from './divergence.js';
import type { Learner, LearnerRecord } from './learner.js';
import { crossEntropy, scaledCrossEntropy } from './losses.js';
import { Optimizer } from './optimizer.js';
import type { UpdateRule } from './update-rule.js';

export interface MaskedTrainerOptions {
  /** Rows in a micro-batch. */
  readonly batch: number;
  /** Tokens in a row, its two marks included. */
  readonly context: number;
  /** Micro-batches in a step. */
  readonly accumulate: number;
  readonly seed: number;
  /** Of the tokens, or words, that are hidden. */
  readonly share: number;
  readonly wholeWords: boolean;
  readonly optimizer?: UpdateRule | undefined;
}

/** Logits of the chosen places alone: only those pass through the head. */
export function maskedLogits(model: Encoder, rows: MaskedRows, mode: Mode, device: Device): Tensor {
  return internal(() => {
    const tokens = tensor(device, rows.tokens, [rows.batch, rows.time], { dtype: 'int32' });
    const vectors = model.encode(tokens, mode, { spans: rows.spans });
    const places = tensor(device, rows.places, [rows.places.length], { dtype: 'int32' });
    return model.logits(vectors.reshape([-1, model.hiddenSize]).gather(places), mode);
  });
}

const targetsOf = (device: Device, { targets }: MaskedRows): Tensor =>
  tensor(device, targets, [targets.length], { dtype: 'int32' });

/** Trains an encoder to say hidden tokens. Its whole state is the model, the optimizer and the number of steps done. */
export class MaskedTrainer implements Learner {
  readonly model: Encoder;
  readonly optimizer: Optimizer;
  readonly #device: Device;
  readonly #source: TokenSource;
  readonly #vocabulary: MaskVocabulary;
  readonly #options: MaskedTrainerOptions;
  readonly #divergence = new Divergence();
  #done: number;

  /** @param done steps that a resumed run has behind it. */
  constructor(
    device: Device,
    model: Encoder,
    { source, vocabulary }: { readonly source: TokenSource; readonly vocabulary: MaskVocabulary },
    options: MaskedTrainerOptions,
    done = 0,
  ) {
    this.#device = device;
    this.model = model;
    this.#source = source;
    this.#vocabulary = vocabulary;
    this.#options = options;
    this.optimizer = new Optimizer(device, model.namedParameters(), options.optimizer);
    this.#done = done;
  }

  get done(): number {
    return this.#done;
  }

  /** One optimizer step over `accumulate` micro-batches, each hidden token weighing the same. */
  async step(learningRate: number): Promise<LearnerRecord> {
    const began = performance.now();
    const total = await this.#accumulate();
    this.optimizer.step(learningRate, total);
    const [loss, gradientNorm] = [await total.item(), await this.optimizer.gradientNorm.item()];
    this.#done++;
    const { batch, context, accumulate } = this.#options;
    const tokens = batch * context * accumulate;
    const seconds = (performance.now() - began) / 1000;
    return {
      step: this.#done,
      loss,
      learningRate,
      gradientNorm,
      tokens: this.#done * tokens,
      tokensPerSecond: tokens / seconds,
      seconds,
      ...this.#divergence.check(this.#done, loss, gradientNorm),
    };
  }

  /** Seconds that a step takes before the first, the update left out: nothing is changed. */
  async rehearse(): Promise<number> {
    const began = performance.now();
    await (await this.#accumulate()).item();
    this.optimizer.zeroGrad();
    endStep(this.#device);
    return (performance.now() - began) / 1000;
  }

  async #rows(micro: number): Promise<MaskedRows> {
    const { batch, context, accumulate, seed, share, wholeWords } = this.#options;
    const step = this.#done * accumulate + micro;
    const length = context - 2;
    const { inputs } = await sampleBatch(this.#source, {
      batch,
      context: length,
      key: randomKey(seed, 'shuffle'),
      step,
    });
    const windows = Array.from({ length: batch }, (_, row) => inputs.subarray(row * length, (row + 1) * length));
    const rows = markRows(windows, this.#vocabulary);
    return maskRows(rows, this.#vocabulary, { share, wholeWords, key: randomKey(seed, 'noise', step) });
  }

  /** The gradients of one step, and its mean loss per hidden token. */
  async #accumulate(): Promise<Tensor> {
    const { accumulate, seed } = this.#options;
    const batches: MaskedRows[] = [];
    for (let micro = 0; micro < accumulate; micro++) batches.push(await this.#rows(micro));
    const chosen = batches.reduce((sum, rows) => sum + rows.chosen, 0);
    this.optimizer.zeroGrad();
    let total: Tensor | undefined;
    batches.forEach((rows, micro) => {
      const mode = Mode.training(seed, this.#done, micro);
      const loss = internal(() =>
        scaledCrossEntropy(
          maskedLogits(this.model, rows, mode, this.#device),
          targetsOf(this.#device, rows),
          1 / Math.max(1, chosen),
        ),
      );
      loss.backward();
      total = total === undefined ? loss.detach() : total.add(loss.detach());
    });
    if (total === undefined) throw new SluiceError('internal', { rule: 'a step has at least one micro-batch' });
    return total;
  }
}

export interface MaskedEvaluation {
  /** Mean loss per hidden token, in nats. */
  readonly loss: number;
  /** e to the loss: of how many tokens the model is as unsure as of so many that are alike. */
  readonly pseudoPerplexity: number;
  /** The share of the hidden tokens that the model says right. */
  readonly maskedAccuracy: number;
  /** Hidden tokens. */
  readonly tokens: number;
}

export interface EvaluateMaskedOptions {
  readonly batch: number;
  readonly context: number;
  readonly share: number;
  readonly wholeWords: boolean;
  readonly seed: number;
  /** Tokens to look at, hidden or not; all by default. */
  readonly maximumTokens?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What the model says of hidden tokens of a text: the same ones each time. */
export async function evaluateMasked(
  device: Device,
  model: Encoder,
  { source, vocabulary }: { readonly source: TokenSource; readonly vocabulary: MaskVocabulary },
  options: EvaluateMaskedOptions,
): Promise<MaskedEvaluation> {
  const { batch, context, share, wholeWords, seed, maximumTokens, signal } = options;
  const eventLoop = new EventLoop();
  let [nats, right, tokens] = [0, 0, 0];
  for await (const { first, windows } of windowBatches(source, { batch, length: context - 2, maximumTokens })) {
    await eventLoop.look(signal);
    const key = randomKey(seed, 'evaluation', first);
    const rows = maskRows(markRows(windows, vocabulary), vocabulary, { share, wholeWords, key });
    const [logits, loss] = scope(device, () =>
      noGrad(() => {
        const logits = maskedLogits(model, rows, Mode.evaluation(), device);
        return [logits.keep(), crossEntropy(logits, targetsOf(device, rows)).sum().keep()] as const;
      }),
    );
    nats += await loss.item();
    right += hits(await logits.toArray(), rows, model.vocabSize);
    tokens += rows.chosen;
    logits.dispose();
    loss.dispose();
  }
  const loss = nats / tokens;
  return { loss, pseudoPerplexity: Math.exp(loss), maskedAccuracy: right / tokens, tokens };
}

/** How many of the chosen places have their largest logit at the target. */
function hits(logits: ArrayLike<number>, { targets, chosen }: MaskedRows, width: number): number {
  let right = 0;
  for (let i = 0; i < chosen; i++) {
    let best = 0;
    for (let j = 1; j < width; j++) if ((logits[i * width + j] ?? 0) > (logits[i * width + best] ?? 0)) best = j;
    if (best === targets[i]) right++;
  }
  return right;
}
