import type { Layer } from '../layers/layer.js';
import type { Tensor } from '../tensor/index.js';
import type { Optimizer } from './optimizer.js';

/** What one step of training did; a line of metrics.jsonl. */
export interface LearnerRecord {
  /** Counted from 1. */
  readonly step: number;
  /** The mean over what was learned from, before the update. */
  readonly loss: number;
  readonly learningRate: number;
  /** Before clipping; what learns without gradients has none. */
  readonly gradientNorm?: number;
  /** Of this step. */
  readonly seconds: number;
  /** The update was left out, since the loss or the gradient's norm was not finite. */
  readonly skipped?: true;
  /** Learned from so far, where tokens are what is counted. */
  readonly tokens?: number;
  readonly tokensPerSecond?: number;
  /** Learned from so far, where examples are what is counted. */
  readonly examples?: number;
  readonly examplesPerSecond?: number;
}

/** What the loop of a run trains. Its whole state is the model, the optimizer and the number of steps done. */
export interface Learner {
  readonly model: Layer;
  /** None where learning needs no state beside the weights. */
  readonly optimizer?: Optimizer;
  /** What else goes on from step to step, by name: a state that is carried. */
  carried?(): Map<string, Tensor>;
  /** Steps done. */
  readonly done: number;
  /** Nothing is left to learn: further steps would change nothing. */
  readonly isFinished?: boolean;
  /** @throws SluiceError `diverged` after ten steps in a row without a finite gradient. */
  step(learningRate: number): Promise<LearnerRecord>;
  /** Seconds that a step takes; nothing is changed. */
  rehearse(): Promise<number>;
}
