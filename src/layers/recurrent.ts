import { type Cell, gruCell, lstmCell, rnnCell } from '../activations/cells.js';
import type { Activation } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { variables, variablesOf } from '../scalar/expression.js';
import { CellProgram } from '../tensor/cell-program.js';
import { concat, internal, stack, type Tensor } from '../tensor/index.js';
import { MapProgram } from '../tensor/map-program.js';
import { recurrence } from '../tensor/operations/recurrence.js';
import { dropout } from './dropout.js';
import type { Initializer } from './initialization.js';
import { Layer } from './layer.js';
import type { Mode } from './mode.js';
import { type SequenceRows, sequenceRows } from './packing.js';
import { requireAxes } from './shapes.js';

export interface RecurrentOptions {
  /** Layers on top of each other; 1 by default. */
  readonly layers?: number;
  /** Whether each layer also reads from the end, with the outputs side by side; false by default. */
  readonly bidirectional?: boolean;
  /** True by default. */
  readonly bias?: boolean;
  /** The probability that an output of a layer below another one is dropped in training; 0 by default. */
  readonly dropout?: number;
  /** Activations of the cell by their roles: gate, candidate, output; the cell's own by default. */
  readonly activations?: Readonly<Record<string, Activation>>;
  /**
   * What an output goes through before it is given out and fed back; nothing by default. A number is the width of a
   * linear map, PyTorch's `proj_size` of an LSTM (Sak 2014, arXiv:1402.1128); with a bias and an activation the feedback
   * comes from output units (Jordan 1986). Not for a cell that mixes its last output into the next, as the GRU.
   */
  readonly projection?: number | OutputUnits | undefined;
  /** What the bias of an LSTM's forget gate begins with; as other biases by default. Source: Jozefowicz 2015. */
  readonly forgetBias?: number | undefined;
}

/** Output units inside of the recurrence: activation(W h + b). */
export interface OutputUnits {
  readonly width: number;
  /** True by default. */
  readonly bias?: boolean;
  /** None by default. */
  readonly activation?: Activation;
}

const recurrentDefaults = {
  layers: 1,
  bidirectional: false,
  bias: true,
  dropout: 0,
  activations: {},
  projection: undefined,
  forgetBias: undefined,
} satisfies OptionTable<RecurrentOptions>;

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
          const histories = this.#run(signal, rows, suffix, run, states);
          for (const [i, history] of histories.entries()) finals[i]?.push(rows.last(history));
          const [output = signal] = histories;
          return [run % this.directions === 0 ? output : rows.turn(output)];
        });
        const [only = signal] = outputs;
        signal = outputs.length === 1 ? only : concat(outputs, 1);
      }
      const last = this.cell.states.map((name, i) => [name, stack(finals[i] ?? [])] as const);
      return { output: rows.unpack(signal), states: Object.fromEntries(last) };
    });
  }

  #run(signal: Tensor, rows: SequenceRows, suffix: string, run: number, states: RecurrentStates | undefined): Tensor[] {
    const bias = this.#bias;
    const operands = {
      x: run % this.directions === 0 ? signal : rows.turn(signal),
      inputWeight: this.weight(`weight_ih${suffix}`),
      recurrentWeight: this.weight(`weight_hh${suffix}`),
      bias: bias ? this.#joinedBias(suffix) : undefined,
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
    return recurrence(CellProgram.of(this.cell, bias), operands, rows.sizes);
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

function checkSizes(sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 1) continue;
    throw new SluiceError('argument', {
      rule: `${name} of a recurrent layer is a whole number from 1 on`,
      received: size,
      remedy: 'Write for example inputs 16, hidden 64, layers 2.',
    });
  }
}

function checkFit({ name, about: { gates, memory = [] }, outputs }: Cell, options: RecurrentOptions): void {
  const mixes = variablesOf(Object.values(outputs)).includes('h');
  if (options.projection !== undefined && mixes) {
    throw new SluiceError('argument', {
      rule: `the outputs of ${name} cells are as wide as they are, since the next ones are mixed from them`,
      received: options.projection,
      remedy: 'Leave projection out, or use an LSTM or an RNN.',
    });
  }
  if (options.forgetBias !== undefined && !(gates.includes('f') && memory.length > 0 && options.bias !== false)) {
    throw new SluiceError('argument', {
      rule: `forgetBias is for cells with a forget gate and biases, as an LSTM has`,
      received: `${options.forgetBias} for ${name}`,
      remedy: 'Leave it out.',
    });
  }
}

const hasBias = ({ bias = true }: OutputUnits): boolean => bias;

/** What output units do to their product: nothing where they have neither bias nor activation. */
function outputProgramOf(units: OutputUnits | undefined): MapProgram | undefined {
  if (units === undefined || (!hasBias(units) && units.activation === undefined)) return undefined;
  const [product, bias] = variables('product', 'bias');
  const sum = hasBias(units) ? product.add(bias) : product;
  const outputs = [units.activation?.of(sum) ?? sum];
  return new MapProgram('output units', outputs, hasBias(units) ? ['product', 'bias'] : ['product'], [], false);
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
