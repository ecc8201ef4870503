/**
 * A recurrent network that reads sequences, numbers or tokens at each step, and answers at the end, by the mean of all
 * steps, or at every step.
 *
 * - the answer at the end comes from the state after the last real step, a mean is over the real steps: padding never counts
 * - a bidirectional one answers from both ends
 * - the weights of `recurrent` carry PyTorch's names behind that word: `recurrent.weight_ih_l0`, ...
 */
import { type CellName, findCell } from '../activations/cells.js';
import { checkChoice, checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { Embedding } from '../layers/embedding.js';
import { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { Recurrent, type RecurrentInputs, type RecurrentOutputs } from '../layers/recurrent.js';
import { type RecurrentOptions, recurrentDefaults } from '../layers/recurrent-options.js';
import { internal, type Tensor, tensor } from '../tensor/index.js';

export interface SequenceModelOptions extends RecurrentOptions {
  /** `lstm` by default. */
  readonly cell?: CellName;
  /** Numbers of a step; with `vocabSize`, the width of a token's vector. */
  readonly inputs: number;
  /** How many tokens there are, where steps are tokens; steps are numbers by default. */
  readonly vocabSize?: number | undefined;
  readonly hidden: number;
  /** Numbers of an answer: a logit for each class, or a value for each target. */
  readonly outputs: number;
  /** Where answers are given: at the `last` real step of a sequence, the default, from the `mean` of all, or at `each`. */
  readonly answers?: Answers;
}

export const answerNames = ['last', 'mean', 'each'] as const;
export type Answers = (typeof answerNames)[number];

export type SequenceModelConfig = ReturnType<typeof sequenceModelConfig>;

const sequenceDefaults = {
  cell: 'lstm',
  inputs: undefined,
  vocabSize: undefined,
  hidden: undefined,
  outputs: undefined,
  answers: 'last',
  ...recurrentDefaults,
} satisfies OptionTable<SequenceModelOptions>;

/** The whole configuration. */
export function sequenceModelConfig(options: SequenceModelOptions) {
  const config = completeOptions('sequenceModel', options, sequenceDefaults);
  checkChoice('answers', config.answers, answerNames);
  return config;
}

export class SequenceModel extends Layer {
  readonly embedding: Embedding | undefined;
  readonly recurrent: Recurrent;
  readonly head: Linear;
  readonly #answers: Answers;

  constructor(init: Initializer, config: SequenceModelConfig) {
    super();
    const { cell, inputs, vocabSize, hidden, outputs, answers, ...options } = config;
    this.#answers = answers;
    this.embedding = vocabSize === undefined ? undefined : new Embedding(init, vocabSize, inputs, 1);
    this.recurrent = new Recurrent(init, findCell(cell), inputs, hidden, options);
    const width = this.recurrent.outputs * this.recurrent.directions;
    this.head = new Linear(init, width, outputs, { bias: true, deviation: 1 / Math.sqrt(width) });
  }

  /**
   * Numbers [batch, time, inputs], or int32 tokens [batch, time], to answers: `output` is [batch, outputs] of the last
   * real steps or of the mean, or [batch, time, outputs] of each, where what stands behind the end of a sequence is
   * without meaning.
   */
  forward(x: Tensor, mode: Mode, inputs: RecurrentInputs = {}): RecurrentOutputs {
    return internal(() => {
      const steps = this.embedding?.forward(x) ?? x;
      const { output, states } = this.recurrent.forward(steps, mode, inputs);
      const { h } = states;
      if (this.#answers === 'mean') return { output: this.head.forward(meanOf(output, inputs.lengths)), states };
      if (this.#answers === 'each' || h === undefined) return { output: this.head.forward(output), states };
      const { layers, directions, outputs } = this.recurrent;
      const top = h.slice(0, (layers - 1) * directions); // [directions, batch, outputs]
      return { output: this.head.forward(top.transpose(0, 1).reshape([-1, directions * outputs])), states };
    });
  }
}

/** The mean of the real steps, [batch, width]: behind the end of a sequence the outputs are 0. */
function meanOf(output: Tensor, lengths: readonly number[] | undefined): Tensor {
  if (lengths === undefined) return output.mean(1);
  return output.sum(1).div(tensor(output.device, Float32Array.from(lengths), [lengths.length, 1]));
}

/**
 * A new model with random weights that depend on the seed (0 by default) alone.
 * @example const model = sequenceModel(device, { cell: 'gru', inputs: 2, hidden: 64, outputs: 1 });
 */
export function sequenceModel(
  device: Device,
  options: SequenceModelOptions & { readonly seed?: number },
): SequenceModel {
  checkOptions('sequenceModel', options, { ...sequenceDefaults, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new SequenceModel(new Initializer(device, seed), sequenceModelConfig(shape));
}
