import { randomKey } from '../base/random.js';
import { type Examples, permutation, selectExamples } from '../data/examples.js';
import type { Device } from '../devices/device.js';
import type { Perceptron } from '../models/perceptron.js';
import { endStep, noGrad, scope, tensor } from '../tensor/index.js';
import type { Learner, LearnerRecord } from './learner.js';

/** Trains a perceptron by Rosenblatt's rule. A step is a pass over all examples, shuffled; without a mistake it ends. */
export class PerceptronTrainer implements Learner {
  readonly model: Perceptron;
  readonly #device: Device;
  readonly #examples: Examples;
  readonly #seed: number;
  #done: number;
  #mistakes: number | undefined;

  /** @param examples of the classes 0 and 1; @param done passes that a resumed run has behind it. */
  constructor(device: Device, model: Perceptron, examples: Examples, seed = 0, done = 0) {
    this.#device = device;
    this.model = model;
    this.#examples = examples;
    this.#seed = seed;
    this.#done = done;
  }

  get done(): number {
    return this.#done;
  }

  /** The weights make no mistake: the rule leaves them as they are. */
  get isFinished(): boolean {
    return this.#mistakes === 0;
  }

  /** One pass; the loss is the share of mistakes before it. */
  async step(learningRate: number): Promise<LearnerRecord> {
    const began = performance.now();
    const { count } = this.#examples;
    const mistakes = await this.#learn(learningRate);
    this.#mistakes = mistakes;
    this.#done++;
    const seconds = (performance.now() - began) / 1000;
    const examples = this.#done * count;
    return {
      step: this.#done,
      loss: mistakes / count,
      learningRate,
      examples,
      examplesPerSecond: count / seconds,
      seconds,
    };
  }

  /** Seconds that a pass takes; the weights are as before. */
  async rehearse(): Promise<number> {
    const before = await Promise.all(this.model.parameters().map((parameter) => parameter.toArray()));
    const began = performance.now();
    await this.#learn(1);
    const seconds = (performance.now() - began) / 1000;
    this.model.parameters().forEach((parameter, i) => {
      parameter.write(before[i] ?? []);
    });
    return seconds;
  }

  async #learn(learningRate: number): Promise<number> {
    const order = permutation(this.#examples.count, randomKey(this.#seed, 'shuffle', this.#done));
    const { count, width, inputs, targets } = selectExamples(this.#examples, order);
    const device = this.#device;
    const wanted = Float32Array.from(targets, (target) => this.model.outputs[target === 0 ? 0 : 1]);
    const outputs = scope(device, () => noGrad(() => this.model.forward(tensor(device, inputs, [count, width]))));
    const given = await outputs.toArray().finally(() => outputs.dispose());
    const mistakes = wanted.reduce((sum, value, i) => sum + (value === given[i] ? 0 : 1), 0);
    if (mistakes > 0) {
      scope(device, () => {
        this.model.learn(tensor(device, inputs, [count, width]), tensor(device, wanted), learningRate);
      });
    }
    await device.synchronize();
    endStep(device);
    return mistakes;
  }
}
