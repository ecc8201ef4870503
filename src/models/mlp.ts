/**
 * The multi-layer perceptron: hidden layers of any activation between an input and a linear output. What the single
 * threshold unit could not learn, hidden layers trained by back-propagation could. Source: Rumelhart 1986.
 *
 * - weights carry the names of a PyTorch ModuleList: `layers.0.weight`, `layers.0.bias`, ...
 * - the initial weights suit the activation, by what its expression computes
 * - with SELU, dropout is alpha dropout
 */
import { selu } from '../activations/exponential.js';
import type { Activation } from '../activations/kinds.js';
import { relu } from '../activations/rectified.js';
import { SluiceError } from '../base/errors.js';
import { checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { alphaDropout, dropout } from '../layers/dropout.js';
import { FormulaLayer } from '../layers/formula-layer.js';
import { Initializer } from '../layers/initialization.js';
import { deviationOf, distributionOf, type SchemeName, suitedScheme } from '../layers/initialization-schemes.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { requireWidth } from '../layers/shapes.js';
import { StraightThrough } from '../layers/straight-through.js';
import { internal, type Tensor } from '../tensor/index.js';

export interface MlpOptions {
  /** Numbers of an example. */
  readonly inputs: number;
  /** Units of each hidden layer, from the input on; [32, 32] by default. */
  readonly hidden?: readonly number[];
  /** Numbers that come out: a logit for each class, or a value for each target. */
  readonly outputs: number;
  /** `relu` by default. */
  readonly activation?: Activation;
  /** An activation whose derivative stands in for that of `activation`: a straight-through estimator. None by default. */
  readonly surrogate?: Activation | undefined;
  /** The scheme of the initial weights; the one that suits the activation by default. */
  readonly initialization?: SchemeName;
  /** The probability that a hidden unit is left out of a training step; 0 by default. */
  readonly dropout?: number;
}

export type MlpConfig = Required<MlpOptions>;

const mlpDefaults = {
  inputs: undefined,
  hidden: [32, 32],
  outputs: undefined,
  activation: relu,
  surrogate: undefined,
  initialization: undefined,
  dropout: 0,
} satisfies OptionTable<MlpOptions>;

/** The whole configuration. @throws SluiceError `argument` for a width that is not a whole number from 1 on. */
export function mlpConfig(options: MlpOptions): MlpConfig {
  const { initialization, ...rest } = completeOptions('mlp', options, mlpDefaults);
  const { inputs, hidden, outputs, activation } = rest;
  const odd = [inputs, ...hidden, outputs].find((width) => !(Number.isInteger(width) && width >= 1));
  if (odd !== undefined) {
    throw new SluiceError('argument', {
      rule: 'inputs, hidden and outputs of an MLP are whole numbers from 1 on',
      received: odd,
      remedy: 'Write for example inputs 2, hidden [32, 32], outputs 2.',
    });
  }
  return { ...rest, initialization: initialization ?? suitedScheme(activation) };
}

export class Mlp extends Layer {
  readonly layers: readonly Linear[];
  /** Behind each layer but the last, with its learned parameters where it has some. */
  readonly activations: readonly (FormulaLayer | StraightThrough)[];
  readonly #config: MlpConfig;

  constructor(init: Initializer, config: MlpConfig) {
    super();
    this.#config = config;
    const { inputs, hidden, outputs, activation, surrogate, initialization } = config;
    this.layers = [...hidden, outputs].map((units, i) => {
      const fan = { inputs: hidden[i - 1] ?? inputs, outputs: units, behind: i === 0 ? undefined : activation };
      const spread = { deviation: deviationOf(initialization, fan), distribution: distributionOf(initialization) };
      return new Linear(init, fan.inputs, units, { bias: true, ...spread });
    });
    this.activations = hidden.map(() =>
      surrogate === undefined ? new FormulaLayer(init, activation) : new StraightThrough(activation, surrogate),
    );
  }

  /** [..., inputs] to [..., outputs]. */
  forward(x: Tensor, mode: Mode): Tensor {
    const { activation, dropout: probability } = this.#config;
    const drop = activation.definition === selu.definition ? alphaDropout : dropout;
    const [first] = this.layers;
    if (first !== undefined) requireWidth('an MLP', first.weight, x);
    return internal(() =>
      this.layers.reduce((signal, layer, i) => {
        const activate = this.activations[i];
        const z = layer.forward(signal);
        return activate === undefined ? z : drop(activate.forward(mode, z), probability, mode);
      }, x),
    );
  }
}

/**
 * A new MLP with random weights that depend on the seed (0 by default) alone.
 * @example const model = mlp(device, { inputs: 2, hidden: [16], outputs: 2, activation: tanh });
 */
export function mlp(device: Device, options: MlpOptions & { readonly seed?: number }): Mlp {
  checkOptions('mlp', options, { ...mlpDefaults, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new Mlp(new Initializer(device, seed), mlpConfig(shape));
}
