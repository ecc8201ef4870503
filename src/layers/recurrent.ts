import { type Cell, gruCell, lstmCell, rnnCell } from '../activations/cells.js';
import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { CellProgram } from '../tensor/cell-program.js';
import { concat, internal, noGrad, stack, type Tensor, zeros } from '../tensor/index.js';
import type { MapProgram } from '../tensor/map-program.js';
import { type RecurrenceOperands, recurrence } from '../tensor/operations/recurrence.js';
import { dropout } from './dropout.js';
import type { Initializer } from './initialization.js';
import { Layer } from './layer.js';
import { Mode } from './mode.js';
import { type SequenceRows, sequenceRows } from './packing.js';
import {
  checkFit,
  checkSizes,
  hasBias,
  type OutputUnits,
  outputProgramOf,
  type RecurrentOptions,
  recurrentDefaults,
} from './recurrent-options.js';
import { cellParts } from './recurrent-parts.js';
import { requireAxes } from './shapes.js';

/** The states of a cell by name, `h` and for an LSTM `c`: [layers times directions, batch, width] each. */
export type RecurrentStates = Readonly<Record<string, Tensor>>;

export interface RecurrentInputs {
  /** The number of real steps of each sequence; all of them by default. What is behind them is never read. */
  readonly lengths?: readonly number[] | undefined;
  /** The states before the first step; 0 by default. */
  readonly states?: RecurrentStates | undefined;
}

const inputTable = { lengths: undefined, states: undefined } satisfies OptionTable<RecurrentInputs>;

export interface RecurrentOutputs {
  /** The top layer's output at every step, [batch, time, outputs times directions]; 0 where a sequence has ended. */
  readonly output: Tensor;
  /** After the last real step of each sequence; for the direction from the end, after the first. */
  readonly states: RecurrentStates;
}

/** One layer and direction as it went over a batch, in the order of its recurrence. */
export interface RecurrentRun {
  /** As weights end: `l0`, `l0_reverse`. */
  readonly name: string;
  /** The number of sequences at each step: rows of the first step come first. */
  readonly sizes: readonly number[];
  /** [rows, outputs]: after each step. */
  readonly output: Tensor;
  /** [rows, outputs], a leaf of zeros: collects the gradient of the loss by each output, through time. */
  readonly probe: Tensor;
  /** What the cell's activations gave after each step, by name, [rows, hidden]. */
  readonly parts: Readonly<Record<string, Tensor>>;
}

/** What a layer and direction had at every step. */
export interface RecurrentTrace {
  /** As weights end: `l0`, `l0_reverse`. */
  readonly name: string;
  /**
   * [batch, time, width] each, 0 where a sequence has ended: the states after the step, `h` and for an LSTM `c`, and
   * what the activations gave, by the pre-activation that went in or by the role: i, f, g, o and output of an LSTM.
   */
  readonly values: Readonly<Record<string, Tensor>>;
}

/** Layers of a recurrent cell. The weights have PyTorch's names, shapes and order of gates. */
export class Recurrent extends Layer {
  readonly cell: Cell;
  readonly hidden: number;
  readonly layers: number;
  readonly directions: number;
  readonly #bias: boolean;
  readonly #dropout: number;
  readonly #units: OutputUnits | undefined;
  readonly #outputProgram: MapProgram | undefined;
  readonly #weights: Record<string, Tensor> = {};
  /** Hears what each layer and direction did, with a probe and parts to be disposed of; undefined for none. */
  watch: ((run: RecurrentRun) => void) | undefined = undefined;

  constructor(init: Initializer, cell: Cell, inputs: number, hidden: number, options: RecurrentOptions = {}) {
    super();
    const given = completeOptions(`a layer of ${cell.name} cells`, options, recurrentDefaults);
    const { layers, bidirectional, activations, projection, forgetBias } = given;
    this.cell = cell.with(activations);
    this.hidden = hidden;
    this.layers = layers;
    this.directions = bidirectional ? 2 : 1;
    this.#bias = given.bias;
    this.#dropout = given.dropout;
    this.#units = typeof projection === 'number' ? { width: projection, bias: false } : projection;
    this.#outputProgram = outputProgramOf(this.#units);
    checkSizes({ inputs, hidden, layers, projection: this.outputs });
    checkFit(this.cell, given);
    const bound = 1 / Math.sqrt(hidden);
    const make = (name: string, ...shape: number[]): void => {
      this.#weights[name] = init.uniform(shape, bound);
    };
    const rows = cell.about.gates.length * hidden;
    for (const [layer, suffix] of this.#runs()) {
      make(`weight_ih${suffix}`, rows, layer === 0 ? inputs : this.outputs * this.directions);
      make(`weight_hh${suffix}`, rows, this.outputs);
      if (this.#bias) {
        make(`bias_ih${suffix}`, rows);
        make(`bias_hh${suffix}`, rows);
      }
      if (this.#units === undefined) continue;
      make(`weight_hr${suffix}`, this.outputs, hidden);
      if (hasBias(this.#units)) make(`bias_hr${suffix}`, this.outputs);
    }
    if (forgetBias !== undefined) this.#setForgetBias(forgetBias);
  }

  /** Both biases are added: one has the value, the other 0. */
  #setForgetBias(value: number): void {
    const gate = this.cell.about.gates.indexOf('f');
    for (const [name, bias] of Object.entries(this.#weights)) {
      if (!/^bias_[ih]h/.test(name)) continue;
      const amount = name.startsWith('bias_ih') ? value : 0;
      bias
        .detach()
        .narrow(0, gate * this.hidden, this.hidden)
        .write(new Array(this.hidden).fill(amount));
    }
  }

  protected override get members(): object {
    return this.#weights;
  }

  override get decayed(): readonly string[] {
    return Object.keys(this.#weights).filter((name) => name.startsWith('weight'));
  }

  /** The width of an output of one direction. */
  get outputs(): number {
    return this.#units?.width ?? this.hidden;
  }

  /** Each layer and direction, with the ending of its weights' names. */
  #runs(): (readonly [layer: number, suffix: string])[] {
    return Array.from({ length: this.layers * this.directions }, (_, run) => {
      const layer = Math.floor(run / this.directions);
      return [layer, `_l${layer}${run % this.directions === 0 ? '' : '_reverse'}`] as const;
    });
  }

  /** A weight by its name in PyTorch. */
  weight(name: string): Tensor {
    const found = this.#weights[name];
    if (found !== undefined) return found;
    throw new SluiceError('internal', { rule: 'a recurrent layer has its weights', received: name });
  }

  /**
   * x [batch, time, inputs] through all layers.
   * @throws SluiceError `shape` for an input, lengths or states that do not fit, `argument` for an empty sequence.
   */
  forward(x: Tensor, mode: Mode, given: RecurrentInputs = {}): RecurrentOutputs {
    return this.#forward(x, mode, given);
  }

  /**
   * Every state and every gate of each layer and direction, at every step, without gradients and dropout.
   * @throws SluiceError as `forward`
   */
  trace(x: Tensor, given: RecurrentInputs = {}): RecurrentTrace[] {
    return noGrad(() =>
      internal(() => {
        const traces: RecurrentTrace[] = [];
        this.#forward(x, Mode.evaluation(), given, (trace) => traces.push(trace));
        return traces;
      }),
    );
  }

  #forward(x: Tensor, mode: Mode, given: RecurrentInputs, see?: (trace: RecurrentTrace) => void): RecurrentOutputs {
    const { lengths, states } = completeOptions(`the inputs of ${this.cell.name}`, given, inputTable);
    const inputs = this.weight('weight_ih_l0').shape[1];
    requireAxes(`an ${this.cell.name} of ${inputs} inputs`, { batch: undefined, time: undefined, inputs }, x);
    this.#checkStates(states, x.shape[0] ?? 0);
    return internal(() => {
      const rows = sequenceRows(x, lengths);
      const finals: Tensor[][] = this.cell.states.map(() => []);
      let signal = rows.pack(x);
      for (let layer = 0; layer < this.layers; layer++) {
        if (layer > 0) signal = dropout(signal, this.#dropout, mode);
        const outputs = this.#runs().flatMap(([of, suffix], run) => {
          if (of !== layer) return [];
          const isTurned = run % this.directions !== 0;
          const operands = this.#operands(isTurned ? rows.turn(signal) : signal, rows, suffix, run, states);
          const histories = this.#run(operands, suffix, rows.sizes);
          if (see !== undefined) {
            const values = { ...this.#named(histories), ...this.#parts(operands, suffix, histories, rows.sizes) };
            const inTime = (value: Tensor): Tensor => rows.unpack(isTurned ? rows.turn(value) : value).keep();
            see({
              name: suffix.slice(1),
              values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, inTime(value)])),
            });
          }
          for (const [i, history] of histories.entries()) finals[i]?.push(rows.last(history));
          const [output = signal] = histories;
          return [isTurned ? rows.turn(output) : output];
        });
        const [only = signal] = outputs;
        signal = outputs.length === 1 ? only : concat(outputs, 1);
      }
      const last = this.cell.states.map((name, i) => [name, stack(finals[i] ?? [])] as const);
      return { output: rows.unpack(signal), states: Object.fromEntries(last) };
    });
  }

  #operands(
    x: Tensor,
    rows: SequenceRows,
    suffix: string,
    run: number,
    states: RecurrentStates | undefined,
  ): RecurrenceOperands {
    return {
      x,
      inputWeight: this.weight(`weight_ih${suffix}`),
      recurrentWeight: this.weight(`weight_hh${suffix}`),
      bias: this.#bias ? this.#joinedBias(suffix) : undefined,
      initial: this.cell.states.map((name) => {
        const state = states?.[name];
        return state === undefined ? undefined : rows.sort(state.select(0, run)).contiguous();
      }),
      projection: this.#units && {
        weight: this.weight(`weight_hr${suffix}`),
        bias: hasBias(this.#units) ? this.weight(`bias_hr${suffix}`) : undefined,
        program: this.#outputProgram,
      },
    };
  }

  #run(operands: RecurrenceOperands, suffix: string, sizes: readonly number[]): Tensor[] {
    const { x } = operands;
    const program = CellProgram.of(this.cell, this.#bias);
    if (this.watch === undefined) return recurrence(program, operands, sizes);
    const probe = zeros(x.device, [x.shape[0] ?? 0, this.outputs], { requiresGrad: true }).keep();
    const histories = recurrence(program, { ...operands, probe }, sizes);
    const [output = x] = histories;
    const parts = noGrad(() => this.#parts(operands, suffix, histories, sizes));
    for (const part of Object.values(parts)) part.keep();
    this.watch({ name: suffix.slice(1), sizes, output, probe, parts });
    return histories;
  }

  #named(histories: readonly Tensor[]): Record<string, Tensor> {
    return Object.fromEntries(histories.map((history, i) => [this.cell.states[i] ?? '', history]));
  }

  #parts(
    operands: RecurrenceOperands,
    suffix: string,
    histories: readonly Tensor[],
    sizes: readonly number[],
  ): Record<string, Tensor> {
    const bias = (name: string): Tensor | undefined => (this.#bias ? this.weight(`${name}${suffix}`) : undefined);
    const apart = { ...operands, inputBias: bias('bias_ih'), recurrentBias: bias('bias_hh') };
    return internal(() => cellParts(this.cell, apart, histories, sizes));
  }

  /** The biases in the order of the cell's columns: one where both products are only added. */
  #joinedBias(suffix: string): Tensor {
    const [input, recurrent] = [this.weight(`bias_ih${suffix}`), this.weight(`bias_hh${suffix}`)];
    const { gates, apart = [] } = this.cell.about;
    if (apart.length === 0) return input.add(recurrent);
    const part = (bias: Tensor, gate: string): Tensor => bias.narrow(0, gates.indexOf(gate) * this.hidden, this.hidden);
    return concat([
      ...apart.map((gate) => part(input, gate)),
      ...gates.map((gate) =>
        apart.includes(gate) ? part(recurrent, gate) : part(input, gate).add(part(recurrent, gate)),
      ),
    ]);
  }

  #checkStates(states: RecurrentStates | undefined, batch: number): void {
    if (states === undefined) return;
    const { name, states: names } = this.cell;
    const wrong = [
      ...Object.keys(states).filter((key) => !names.includes(key)),
      ...names.filter((key) => !(key in states)),
    ];
    if (wrong.length > 0) {
      throw new SluiceError('name', {
        rule: `the states of an ${name} are ${names.join(' and ')}`,
        received: Object.keys(states),
        remedy: 'Give all of them by name, or none for 0.',
      });
    }
    for (const [i, key] of names.entries()) {
      const state = states[key];
      const width = i === 0 ? this.outputs : this.hidden;
      const axes = { 'layers x directions': this.layers * this.directions, batch, width };
      if (state !== undefined) requireAxes(`the state ${key} of an ${name}`, axes, state);
    }
  }
}

/** h_t = tanh(W x_t + b_ih + U h_{t-1} + b_hh), or any activation in place of tanh. Source: Elman 1990. */
export class Rnn extends Recurrent {
  constructor(init: Initializer, inputs: number, hidden: number, options: RecurrentOptions = {}) {
    super(init, rnnCell, inputs, hidden, options);
  }
}

/** Source: Hochreiter and Schmidhuber 1997; Gers 2000. */
export class Lstm extends Recurrent {
  constructor(init: Initializer, inputs: number, hidden: number, options: RecurrentOptions = {}) {
    super(init, lstmCell, inputs, hidden, options);
  }
}

/** The reset gate acts on U h + b_hn, as in PyTorch. Source: Cho 2014, arXiv:1406.1078. */
export class Gru extends Recurrent {
  constructor(init: Initializer, inputs: number, hidden: number, options: RecurrentOptions = {}) {
    super(init, gruCell, inputs, hidden, options);
  }
}
