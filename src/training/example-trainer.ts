import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { randomKey } from '../base/random.js';
import { epochBatches } from '../data/examples.js';
import type { Device } from '../devices/device.js';
import type { Layer } from '../layers/layer.js';
import { Mode } from '../layers/mode.js';
import { endStep, type Tensor } from '../tensor/index.js';
import { Divergence } from './divergence.js';
import type { Learner, LearnerRecord } from './learner.js';
import { Optimizer } from './optimizer.js';
import type { UpdateRule } from './update-rule.js';

/** What is learned from examples: a model, and how wrong it is on some of them. */
export interface Objective {
  readonly model: Layer;
  /** Examples to learn from. */
  readonly count: number;
  /** How long each is: those of about one length are batched together. */
  readonly lengths?: Int32Array;
  /** The losses of the examples of these indices, added up: a scalar. */
  loss(indices: Int32Array, mode: Mode): Tensor;
}

export interface ExampleTrainerOptions {
  /** Examples in a micro-batch. */
  readonly batch: number;
  /** Micro-batches in a step; 1 by default. */
  readonly accumulate?: number;
  /** 0 by default. */
  readonly seed?: number;
  /** How weights follow their gradients; `adamw()` by default. */
  readonly optimizer?: UpdateRule | undefined;
}

const trainerDefaults = {
  batch: undefined,
  accumulate: 1,
  seed: 0,
  optimizer: undefined,
} satisfies OptionTable<ExampleTrainerOptions>;

/** Trains a model on examples, each once an epoch, shuffled: by gradients. */
export class ExampleTrainer implements Learner {
  readonly model: Layer;
  readonly optimizer: Optimizer;
  readonly #device: Device;
  readonly #objective: Objective;
  readonly #options: Required<ExampleTrainerOptions>;
  readonly #divergence = new Divergence();
  #done: number;
  #epoch: { readonly number: number; readonly batches: readonly Int32Array[] } | undefined;

  /** @param done steps that a resumed run has behind it. */
  constructor(device: Device, objective: Objective, options: ExampleTrainerOptions, done = 0) {
    this.#device = device;
    this.#objective = objective;
    this.#options = completeOptions('ExampleTrainer', options, trainerDefaults);
    for (const [name, value] of Object.entries({ batch: this.#options.batch, accumulate: this.#options.accumulate })) {
      if (Number.isInteger(value) && value >= 1) continue;
      const remedy = 'Try 32 examples in one micro-batch.';
      throw new SluiceError('argument', { rule: `${name} is a whole number from 1 on`, received: value, remedy });
    }
    this.model = objective.model;
    this.optimizer = new Optimizer(device, this.model.namedParameters(), this.#options.optimizer);
    this.#done = done;
  }

  get done(): number {
    return this.#done;
  }

  /** Micro-batches in an epoch; the last may have fewer examples. */
  get #perEpoch(): number {
    return Math.ceil(this.#objective.count / this.#options.batch);
  }

  /** The examples of a micro-batch, counted from the first of the training: a function of the seed alone. */
  #examplesOf(micro: number): Int32Array {
    const number = Math.floor(micro / this.#perEpoch);
    if (this.#epoch?.number !== number) {
      const { count, lengths } = this.#objective;
      const { batch, seed } = this.#options;
      const options = { count, batch, key: randomKey(seed, 'shuffle', number) };
      this.#epoch = { number, batches: epochBatches(lengths === undefined ? options : { ...options, lengths }) };
    }
    return this.#epoch.batches[micro % this.#perEpoch] ?? Int32Array.of();
  }

  /** One optimizer step over `accumulate` micro-batches, each example weighing the same. */
  async step(learningRate: number): Promise<LearnerRecord> {
    const began = performance.now();
    const { loss: total, counted } = this.#accumulate();
    this.optimizer.step(learningRate, total);
    const [loss, gradientNorm] = [await total.item(), await this.optimizer.gradientNorm.item()];
    this.#done++;
    const seconds = (performance.now() - began) / 1000;
    return {
      step: this.#done,
      loss,
      learningRate,
      gradientNorm,
      examples: this.#learnedFrom(this.#done),
      examplesPerSecond: counted / seconds,
      seconds,
      ...this.#divergence.check(this.#done, loss, gradientNorm),
    };
  }

  /** Examples, each as often as it was met, in so many steps. */
  #learnedFrom(steps: number): number {
    const { batch, accumulate } = this.#options;
    const { count } = this.#objective;
    const micros = steps * accumulate;
    const whole = Math.floor(micros / this.#perEpoch);
    return whole * count + Math.min(count, (micros - whole * this.#perEpoch) * batch);
  }

  /** Seconds that a step takes, the update left out: nothing is changed. */
  async rehearse(): Promise<number> {
    const began = performance.now();
    await this.#accumulate().loss.item();
    this.optimizer.zeroGrad();
    endStep(this.#device);
    return (performance.now() - began) / 1000;
  }

  /** The gradients of one step, and its mean loss per example. */
  #accumulate(): { loss: Tensor; counted: number } {
    const { accumulate, seed } = this.#options;
    const batches = Array.from({ length: accumulate }, (_, micro) => this.#examplesOf(this.#done * accumulate + micro));
    const counted = batches.reduce((sum, { length }) => sum + length, 0);
    this.optimizer.zeroGrad();
    const losses = batches.map((indices, micro) => {
      const loss = this.#objective.loss(indices, Mode.training(seed, this.#done, micro)).div(counted);
      loss.backward();
      return loss.detach();
    });
    return { loss: losses.reduce((sum, loss) => sum.add(loss)), counted };
  }
}
