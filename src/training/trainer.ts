import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { randomKey } from '../base/random.js';
import {
  type Batch,
  ignoreIndex,
  requireStreams,
  type StreamBatch,
  sampleBatch,
  streamBatch,
} from '../data/batches.js';
import type { TokenSource } from '../data/token-source.js';
import type { Device } from '../devices/device.js';
import { Mode } from '../layers/mode.js';
import type { CausalModel, TokenCache } from '../models/causal-model.js';
import { endStep, internal, type Tensor, tensor } from '../tensor/index.js';
import { Divergence } from './divergence.js';
import { crossEntropy, scaledCrossEntropy } from './losses.js';
import { Optimizer } from './optimizer.js';
import type { UpdateRule } from './update-rule.js';

export interface TrainerOptions {
  /** Sequences in a micro-batch. */
  readonly batch: number;
  /** Tokens in a sequence. */
  readonly context: number;
  /** Micro-batches in a step. */
  readonly accumulate: number;
  readonly seed: number;
  /** How weights follow their gradients; `adamw()` by default. */
  readonly optimizer?: UpdateRule | undefined;
}

const trainerDefaults = {
  batch: undefined,
  context: undefined,
  accumulate: undefined,
  seed: undefined,
  optimizer: undefined,
} satisfies OptionTable<TrainerOptions>;

/** What one optimizer step did; a line of metrics.jsonl. */
export interface StepRecord {
  /** Counted from 1. */
  readonly step: number;
  /** Mean loss per token, in nats, before the update. */
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping. */
  readonly gradientNorm: number;
  /** Tokens trained on so far. */
  readonly tokens: number;
  readonly tokensPerSecond: number;
  /** Of this step. */
  readonly seconds: number;
  /** The update was left out, since the loss or the gradient's norm was not finite. */
  readonly skipped?: true;
}

/**
 * Trains a model to predict the next token. Its whole state is the model, the optimizer, the number of steps done, and
 * for a model that reads the text in order what it carries on.
 */
export class Trainer {
  readonly model: CausalModel;
  readonly optimizer: Optimizer;
  readonly options: TrainerOptions;
  readonly #device: Device;
  readonly #source: TokenSource;
  #done: number;
  readonly #divergence = new Divergence();
  /** What a model that reads in order carries on, for each micro-batch. */
  readonly #carried: readonly (readonly TokenCache[])[];

  /** @param done steps that a resumed run has behind it. */
  constructor(device: Device, model: CausalModel, source: TokenSource, options: TrainerOptions, done = 0) {
    this.#device = device;
    this.model = model;
    this.options = completeOptions('Trainer', options, trainerDefaults);
    const { accumulate } = this.options;
    if (!(Number.isInteger(accumulate) && accumulate >= 1)) {
      throw new SluiceError('argument', {
        rule: 'accumulate is a whole number from 1 on',
        received: accumulate,
        remedy: 'Leave it out for 1.',
      });
    }
    this.optimizer = new Optimizer(device, model.namedParameters(), this.options.optimizer);
    this.#source = source;
    this.#done = done;
    const { batch, context } = this.options;
    if (model.carries === true) requireStreams(source, context, batch * accumulate);
    this.#carried = model.carries === true ? Array.from({ length: accumulate }, () => model.makeCaches(batch)) : [];
  }

  /** What is carried on to the next step, by name. */
  carried(): Map<string, Tensor> {
    return new Map(
      this.#carried.flatMap((caches, micro) =>
        caches.flatMap(({ states = {} }, layer) =>
          Object.entries(states).map(([name, state]) => [`carried.${micro}.${layer}.${name}`, state] as const),
        ),
      ),
    );
  }

  /** Optimizer steps done. */
  get done(): number {
    return this.#done;
  }

  /**
   * One optimizer step over `accumulate` micro-batches, each token weighing the same.
   * @param learningRate of this step; see `learningRate` in schedules.ts.
   * @throws SluiceError `diverged` after ten steps in a row without a finite gradient.
   */
  async step(learningRate: number): Promise<StepRecord> {
    const began = performance.now();
    const { loss: total, counted } = await this.#accumulate();
    this.optimizer.step(learningRate, total);
    const [loss, gradientNorm] = [await total.item(), await this.optimizer.gradientNorm.item()];
    this.#done++;
    const seconds = (performance.now() - began) / 1000;
    return {
      step: this.#done,
      loss,
      learningRate,
      gradientNorm,
      tokens: this.#done * counted,
      tokensPerSecond: counted / seconds,
      seconds,
      ...this.#divergence.check(this.#done, loss, gradientNorm),
    };
  }

  /** Seconds that a step takes before the first, the update left out: nothing is changed. */
  async rehearse(): Promise<number> {
    const began = performance.now();
    const { loss } = await this.#accumulate();
    await loss.item();
    this.optimizer.zeroGrad();
    endStep(this.#device);
    for (const cache of this.#carried.flat()) cache.clear();
    return (performance.now() - began) / 1000;
  }

  #batch(micro: number): Promise<Batch | StreamBatch> {
    const { batch, accumulate, seed } = this.options;
    const key = randomKey(seed, 'shuffle');
    if (this.model.carries !== true) {
      return sampleBatch(this.#source, { ...this.options, key, step: this.#done * accumulate + micro });
    }
    const [rows, first] = [batch * accumulate, batch * micro];
    return streamBatch(this.#source, { ...this.options, key, rows, first, step: this.#done });
  }

  /** The gradients of one step, and its mean loss per token. */
  async #accumulate(): Promise<{ loss: Tensor; counted: number }> {
    const { accumulate, seed } = this.options;
    const batches: (Batch | StreamBatch)[] = [];
    for (let micro = 0; micro < accumulate; micro++) batches.push(await this.#batch(micro));
    const counted = batches.reduce(
      (sum, { targets }) => sum + targets.filter((target) => target !== ignoreIndex).length,
      0,
    );
    this.optimizer.zeroGrad();
    let total: Tensor | undefined;
    batches.forEach((batch, micro) => {
      const mode = Mode.training(seed, this.#done, micro);
      const caches = this.#carried[micro];
      if ('isFirst' in batch && batch.isFirst) for (const cache of caches ?? []) cache.clear();
      const scaled = (logits: Tensor, targets: Tensor): Tensor =>
        scaledCrossEntropy(logits, targets, 1 / Math.max(1, counted));
      const loss = lossOf(this.#device, this.model, batch, mode, scaled, caches);
      loss.backward();
      total = total === undefined ? loss.detach() : total.add(loss.detach());
    });
    if (total === undefined) throw new SluiceError('internal', { rule: 'a step has at least one micro-batch' });
    return { loss: total, counted };
  }
}

/** The summed loss of a batch, in nats: a scalar. */
export function batchLoss(
  device: Device,
  model: CausalModel,
  batch: Batch,
  mode: Mode,
  caches?: readonly TokenCache[],
): Tensor {
  return lossOf(device, model, batch, mode, (logits, targets) => crossEntropy(logits, targets).sum(), caches);
}

function lossOf(
  device: Device,
  model: CausalModel,
  batch: Batch,
  mode: Mode,
  loss: (logits: Tensor, targets: Tensor) => Tensor,
  caches?: readonly TokenCache[],
): Tensor {
  const shape = [batch.batch, batch.context];
  requireIds(batch.inputs, model.vocabSize, 0);
  requireIds(batch.targets, model.vocabSize, ignoreIndex);
  return internal(() => {
    const inputs = tensor(device, batch.inputs, shape, { dtype: 'int32' });
    const targets = tensor(device, batch.targets, shape, { dtype: 'int32' });
    return loss(model.forward(inputs, mode, caches), targets);
  });
}

/** A device does not look: an id outside the table would read other memory. */
function requireIds(ids: Int32Array, vocabSize: number, least: number): void {
  for (const id of ids) {
    if (id >= least && id < vocabSize) continue;
    throw new SluiceError('data', {
      rule: `token ids are below the model's vocabulary of ${vocabSize}`,
      received: id,
      remedy: 'Use the tokenizer that the model was made for.',
    });
  }
}
