/**
 * Convolutional networks that read digits, with any activation.
 *
 * - `Lenet1989`: two convolutions whose windows are two pixels apart, and a hidden layer: the first network trained by
 *   back-propagation that read post codes. Here each map of the second convolution sees all of the first. Source: LeCun
 *   1989, "Backpropagation Applied to Handwritten Zip Code Recognition".
 * - `Lenet`: convolutions of every pixel with pooling behind them, LeNet-5. Source: LeCun 1998, "Gradient-Based Learning
 *   Applied to Document Recognition".
 * - weights carry the names that PyTorch's examples have: `conv1.weight`, `fc1.bias`, ...
 */
import type { Activation } from '../activations/kinds.js';
import { tanh } from '../activations/saturating.js';
import { SluiceError } from '../base/errors.js';
import { checkChoice, checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { Conv2d, type ConvolutionOptions } from '../layers/convolution.js';
import { FormulaLayer } from '../layers/formula-layer.js';
import { Initializer } from '../layers/initialization.js';
import { deviationOf, type SchemeName, suitedScheme } from '../layers/initialization-schemes.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { averagePool2d, maxPool2d } from '../layers/pooling.js';
import { internal, type Tensor } from '../tensor/index.js';

const kernel = 5;

export interface LenetOptions {
  /** Pixels across and down an image of one channel; 28 by default. */
  readonly side?: number;
  /** A logit for each class; 10 by default. */
  readonly outputs?: number;
  /** `tanh` by default. */
  readonly activation?: Activation;
  /** Of the initial weights; the one that suits the activation by default. */
  readonly initialization?: SchemeName | undefined;
}

/** What LeNet-5 takes of each 2 x 2 pixels: their mean, as in 1998, or the largest. */
export const poolings = { max: maxPool2d, average: averagePool2d } as const;
export type PoolingName = keyof typeof poolings;

export interface Lenet5Options extends LenetOptions {
  /** `average` by default. */
  readonly pooling?: PoolingName;
}

const common = {
  side: 28,
  outputs: 10,
  activation: tanh,
  initialization: undefined,
} satisfies OptionTable<LenetOptions>;
const lenet5Defaults = { ...common, pooling: 'average' } satisfies OptionTable<Lenet5Options>;

/** Makes layers whose weights suit the activation before them. */
class Maker {
  readonly activation: Activation;
  readonly #init: Initializer;
  readonly #scheme: SchemeName;

  constructor(
    init: Initializer,
    { activation, initialization }: Pick<Required<LenetOptions>, 'activation' | 'initialization'>,
  ) {
    this.#init = init;
    this.activation = activation;
    this.#scheme = initialization ?? suitedScheme(activation);
  }

  conv(inputs: number, outputs: number, options: ConvolutionOptions = {}): Conv2d {
    const fan = { inputs: inputs * kernel ** 2, outputs: outputs * kernel ** 2 };
    // The pixels are data of mean 0 and variance 1.
    const behind = inputs === 1 ? undefined : this.activation;
    return new Conv2d(this.#init, inputs, outputs, kernel, {
      deviation: deviationOf(this.#scheme, { ...fan, behind }),
      ...options,
    });
  }

  linear(inputs: number, outputs: number): Linear {
    const deviation = deviationOf(this.#scheme, { inputs, outputs, behind: this.activation });
    return new Linear(this.#init, inputs, outputs, { bias: true, deviation });
  }

  /** One for each layer: each learns its own parameters, if there are any. */
  act(): FormulaLayer {
    return new FormulaLayer(this.#init, this.activation);
  }
}

const flat = (maps: Tensor): Tensor => maps.reshape([maps.shape[0] ?? 1, -1]);

/** Images [count, 1, side, side] to logits [count, outputs]. */
export class Lenet1989 extends Layer {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly act1: FormulaLayer;
  readonly act2: FormulaLayer;
  readonly act3: FormulaLayer;

  constructor(init: Initializer, options: LenetOptions = {}) {
    super();
    const { side, outputs, ...rest } = completeOptions('Lenet1989', options, common);
    const make = new Maker(init, rest);
    const half = { stride: 2, padding: 2 };
    const left = Math.ceil(Math.ceil(side / 2) / 2);
    this.conv1 = make.conv(1, 12, half);
    this.conv2 = make.conv(12, 12, half);
    this.fc1 = make.linear(12 * left ** 2, 30);
    this.fc2 = make.linear(30, outputs);
    this.act1 = make.act();
    this.act2 = make.act();
    this.act3 = make.act();
  }

  forward(images: Tensor, mode: Mode): Tensor {
    return internal(() => {
      const maps = this.act1.forward(mode, this.conv1.forward(images));
      const parts = flat(this.act2.forward(mode, this.conv2.forward(maps)));
      return this.fc2.forward(this.act3.forward(mode, this.fc1.forward(parts)));
    });
  }
}

/** Images [count, 1, side, side], of 12 pixels across at least, to logits [count, outputs]. */
export class Lenet extends Layer {
  readonly conv1: Conv2d;
  readonly conv2: Conv2d;
  readonly fc1: Linear;
  readonly fc2: Linear;
  readonly fc3: Linear;
  readonly act1: FormulaLayer;
  readonly act2: FormulaLayer;
  readonly act3: FormulaLayer;
  readonly act4: FormulaLayer;
  readonly #pool: PoolingName;

  constructor(init: Initializer, options: Lenet5Options = {}) {
    super();
    const { side, outputs, pooling, ...rest } = completeOptions('Lenet', options, lenet5Defaults);
    checkChoice('the pooling of a LeNet', pooling, Object.keys(poolings));
    const make = new Maker(init, rest);
    const left = Math.floor((Math.floor(side / 2) - 4) / 2);
    if (!(left >= 1)) {
      throw new SluiceError('argument', {
        rule: 'a LeNet reads images of 12 pixels across or more',
        received: side,
        remedy: 'Use larger images, or Lenet1989, which reads smaller ones.',
      });
    }
    this.conv1 = make.conv(1, 6, { padding: 2 });
    this.conv2 = make.conv(6, 16);
    this.fc1 = make.linear(16 * left ** 2, 120);
    this.fc2 = make.linear(120, 84);
    this.fc3 = make.linear(84, outputs);
    this.act1 = make.act();
    this.act2 = make.act();
    this.act3 = make.act();
    this.act4 = make.act();
    this.#pool = pooling;
  }

  forward(images: Tensor, mode: Mode): Tensor {
    const pool = (maps: Tensor): Tensor => poolings[this.#pool](maps, { kernel: 2 });
    return internal(() => {
      const maps = pool(this.act1.forward(mode, this.conv1.forward(images)));
      const parts = flat(pool(this.act2.forward(mode, this.conv2.forward(maps))));
      const hidden = this.act3.forward(mode, this.fc1.forward(parts));
      return this.fc3.forward(this.act4.forward(mode, this.fc2.forward(hidden)));
    });
  }
}

/** A new LeNet-5 with random weights that depend on the seed (0 by default) alone. */
export function lenet(device: Device, options: Lenet5Options & { readonly seed?: number } = {}): Lenet {
  checkOptions('lenet', options, { ...lenet5Defaults, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new Lenet(new Initializer(device, seed), shape);
}

/** A new network of 1989 with random weights that depend on the seed (0 by default) alone. */
export function lenet1989(device: Device, options: LenetOptions & { readonly seed?: number } = {}): Lenet1989 {
  checkOptions('lenet1989', options, { ...common, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new Lenet1989(new Initializer(device, seed), shape);
}
