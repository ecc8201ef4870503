/**
 * A recurrent network that reads sequences: numbers or tokens at each step, and an answer at the end or at every step.
 *
 * - the answer at the end comes from the state after the last real step: padding never counts
 * - a bidirectional one answers from both ends
 * - what PyTorch calls `nn.LSTM` is `recurrent` here: `recurrent.weight_ih_l0`, ...
 */
import { SluiceError } from '../base/errors.js';
import { checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { Embedding } from '../layers/embedding.js';
import { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { type LstmOptions, Recurrent, type RecurrentInputs, type RecurrentStates } from '../layers/recurrent.js';
import { type CellName, recurrentLayer } from '../layers/recurrent-kinds.js';
import { concat, internal, type Tensor } from '../tensor/index.js';

export interface SequenceModelOptions extends LstmOptions {
  /** `lstm` by default. */
  readonly cell?: CellName;
  /** Numbers of a step; with `vocabSize`, the width of a token's vector. */
  readonly inputs: number;
  /** How many tokens there are, where the steps are tokens; steps are numbers by default. */
  readonly vocabSize?: number | undefined;
  readonly hidden: number;
  /** Numbers of an answer: a logit for each class, or a value for each target. */
  readonly outputs: number;
  /** Where answers are given: at the `last` real step of a sequence (the default), or at `each` step. */
  readonly answers?: 'last' | 'each';
}

export type SequenceModelConfig = Readonly<Required<SequenceModelOptions>>;

const sequenceDefaults = {
  cell: 'lstm',
  inputs: undefined,
  vocabSize: undefined,
  hidden: undefined,
  outputs: undefined,
  answers: 'last',
  layers: 1,
  bidirectional: false,
  bias: true,
  dropout: 0,
  activations: {},
  projection: undefined,
  forgetBias: undefined,
} satisfies OptionTable<SequenceModelOptions>;
