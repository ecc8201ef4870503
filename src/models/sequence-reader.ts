/**
 * Reads a sequence by recurrent layers and says something of it: by what they hold at its end, by the mean of what they
 * held at its steps, or at each of its last steps. No padding enters any of them.
 */
import { Embedding } from '../layers/embedding.js';
import type { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { Gru, Lstm, type Recurrent, type RecurrentOptions, Rnn } from '../layers/recurrent.js';
import { requireAxes } from '../layers/shapes.js';
import { concat, internal, type Tensor, tensor } from '../tensor/index.js';

/** The cells by name. */
export const recurrentCells = {
  rnn: (init: Initializer, inputs: number, hidden: number, options: RecurrentOptions): Recurrent =>
    new Rnn(init, inputs, hidden, options),
  // A gate that begins open lets the gradient through: Jozefowicz 2015.
  lstm: (init: Initializer, inputs: number, hidden: number, options: RecurrentOptions): Recurrent =>
    new Lstm(init, inputs, hidden, { ...options, forgetBias: 1 }),
  gru: (init: Initializer, inputs: number, hidden: number, options: RecurrentOptions): Recurrent =>
    new Gru(init, inputs, hidden, options),
} as const;
export type RecurrentCellName = keyof typeof recurrentCells;

/** What the outputs are made of: the state at the end, or the mean of the outputs of all steps. */
export const poolings = ['last', 'mean'] as const;
export type Pooling = (typeof poolings)[number];

export interface SequenceReaderConfig {
  readonly cell: RecurrentCellName;
  /** Numbers of a step, or how many tokens there are and the width of a token's vector. */
  readonly inputs: number | { readonly vocabSize: number; readonly dim: number };
  /** Units of a layer. */
  readonly hidden: number;
  readonly recurrent: RecurrentOptions;
  /** Numbers that come out. */
  readonly outputs: number;
  /** At how many of the last steps they come out; at the end alone where it is undefined. */
  readonly steps: number | undefined;
  readonly pooling: Pooling;
}

export class SequenceReader extends Layer {
  readonly embedding: Embedding | undefined;
  readonly recurrent: Recurrent;
  readonly head: Linear;
  readonly #config: SequenceReaderConfig;

  constructor(init: Initializer, config: SequenceReaderConfig) {
    super();
    this.#config = config;
    const { cell, inputs, hidden, recurrent, outputs } = config;
    const isText = typeof inputs !== 'number';
    this.embedding = isText ? new Embedding(init, inputs.vocabSize, inputs.dim, 1) : undefined;
    this.recurrent = recurrentCells[cell](init, isText ? inputs.dim : inputs, hidden, recurrent);
    const width = this.recurrent.outputs * this.recurrent.directions;
    this.head = new Linear(init, width, outputs, { bias: true, deviation: 1 / Math.sqrt(width) });
  }

  /**
   * Steps [batch, time, inputs], or tokens int32 [batch, time], to [batch, outputs]; with `steps`, to the outputs at each
   * of them, [batch * steps, outputs].
   * @param lengths the real steps of each sequence; what is behind them is never read
   * @throws SluiceError `shape` or `argument` for lengths that do not match the batch.
   */
  forward(x: Tensor, lengths: readonly number[], mode: Mode): Tensor {
    const { steps, pooling } = this.#config;
    if (this.embedding !== undefined) requireAxes('a reader of tokens', { batch: undefined, time: undefined }, x);
    return internal(() => {
      const signal = this.embedding?.forward(x) ?? x;
      const isFull = lengths.every((length) => length === signal.shape[1]) && lengths.length === signal.shape[0];
      const { output, states } = this.recurrent.forward(signal, mode, isFull ? {} : { lengths });
      if (steps !== undefined) return this.head.forward(lastSteps(output, lengths, steps));
      if (pooling === 'last') return this.head.forward(this.#end(states['h'] ?? output));
      const counts = tensor(x.device, Float32Array.from(lengths), [lengths.length, 1]);
      // Behind the end of a sequence the outputs are 0.
      return this.head.forward(output.sum(1).div(counts));
    });
  }

  /** What the top layer holds at the end, of both directions side by side. */
  #end(h: Tensor): Tensor {
    const { layers, directions } = this.recurrent;
    const top = Array.from({ length: directions }, (_, i) => h.select(0, (layers - 1) * directions + i));
    return directions === 1 ? h.select(0, layers - 1) : concat(top, 1);
  }
}

/** What stands at the last steps of each sequence, [batch * steps, width]. */
function lastSteps(output: Tensor, lengths: readonly number[], steps: number): Tensor {
  const [, time = 1, width = 1] = output.shape;
  const places = lengths.flatMap((length, i) => Array.from({ length: steps }, (_, k) => i * time + length - steps + k));
  return output.reshape([-1, width]).gather(tensor(output.device, Int32Array.from(places)));
}
