import type { Cell } from '../activations/cells.js';
import type { Activation } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import type { OptionTable } from '../base/options.js';
import { variables, variablesOf } from '../scalar/expression.js';
import { MapProgram } from '../tensor/map-program.js';

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

export const recurrentDefaults = {
  layers: 1,
  bidirectional: false,
  bias: true,
  dropout: 0,
  activations: {},
  projection: undefined,
  forgetBias: undefined,
} satisfies OptionTable<RecurrentOptions>;

export function checkSizes(sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 1) continue;
    throw new SluiceError('argument', {
      rule: `${name} of a recurrent layer is a whole number from 1 on`,
      received: size,
      remedy: 'Write for example inputs 16, hidden 64, layers 2.',
    });
  }
}

export function checkFit({ name, about: { gates, memory = [] }, outputs }: Cell, options: RecurrentOptions): void {
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

export const hasBias = ({ bias = true }: OutputUnits): boolean => bias;

/** What output units do to their product: nothing where they have neither bias nor activation. */
export function outputProgramOf(units: OutputUnits | undefined): MapProgram | undefined {
  if (units === undefined || (!hasBias(units) && units.activation === undefined)) return undefined;
  const [product, bias] = variables('product', 'bias');
  const sum = hasBias(units) ? product.add(bias) : product;
  const outputs = [units.activation?.of(sum) ?? sum];
  return new MapProgram('output units', outputs, hasBias(units) ? ['product', 'bias'] : ['product'], [], false, true);
}
