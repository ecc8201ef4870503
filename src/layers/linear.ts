import { completeOptions, type OptionTable } from '../base/options.js';
import { concat, internal, type Tensor } from '../tensor/index.js';
import { matmulStacked } from '../tensor/operations/stacked.js';
import { settle } from '../tensor/side-by-side.js';
import type { Distribution, Initializer } from './initialization.js';
import { Layer } from './layer.js';
import { requireWidth } from './shapes.js';

export interface LinearOptions {
  readonly bias?: boolean;
  /** Standard deviation of the initial weights; 0.02 by default, as GPT-2 has it. */
  readonly deviation?: number;
  /** How they are spread; 'normal' by default. */
  readonly distribution?: Distribution;
}

const linearDefaults = { bias: false, deviation: 0.02, distribution: 'normal' } satisfies OptionTable<LinearOptions>;

/** y = x W^T + b: [..., inputs] to [..., outputs]; the weight is [outputs, inputs] as in PyTorch. */
export class Linear extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(init: Initializer, inputs: number, outputs: number, options: LinearOptions = {}) {
    super();
    const { bias, deviation, distribution } = completeOptions('Linear', options, linearDefaults);
    this.weight = init.random([outputs, inputs], deviation, distribution);
    this.bias = bias ? init.constant([outputs], 0) : undefined;
  }

  override get decayed(): readonly string[] {
    return ['weight'];
  }

  forward(x: Tensor): Tensor {
    requireWidth('a linear layer', this.weight, x);
    return internal(() => {
      const product = x.matmul(this.weight.transpose(0, 1));
      return this.bias === undefined ? product : product.add(this.bias);
    });
  }
}

/** y = x W + b, with a weight of [inputs, outputs]: what GPT-2 calls Conv1D. */
export class TransposedLinear extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;

  constructor(init: Initializer, inputs: number, outputs: number, deviation = 0.02) {
    super();
    this.weight = init.normal([inputs, outputs], deviation);
    this.bias = init.constant([outputs], 0);
  }

  override get decayed(): readonly string[] {
    return ['weight'];
  }

  forward(x: Tensor): Tensor {
    return internal(() => {
      requireWidth('a transposed linear layer', this.weight.transpose(0, 1), x);
      return x.matmul(this.weight).add(this.bias);
    });
  }
}

/** Linear layers of one input, as one product where all have a bias or none. */
export class Projections {
  readonly #layers: readonly Linear[];

  constructor(layers: readonly Linear[]) {
    this.#layers = layers;
    if (this.areJoined) settle(layers.map(({ weight }) => weight));
  }

  get areJoined(): boolean {
    const biased = this.#layers.filter(({ bias }) => bias !== undefined).length;
    return biased === 0 || biased === this.#layers.length;
  }

  /** All results side by side, [..., sum of outputs]; only where they are joined. */
  joined(x: Tensor): Tensor {
    for (const { weight } of this.#layers) requireWidth('a linear layer', weight, x);
    const weights = this.#layers.map(({ weight }) => weight);
    const biases = this.#layers.flatMap(({ bias }) => bias ?? []);
    return internal(() => {
      const product = matmulStacked(x, weights);
      return biases.length === 0 ? product : product.add(concat(biases, 0));
    });
  }

  /** Each result. */
  forward(x: Tensor): Tensor[] {
    if (!this.areJoined) return this.#layers.map((layer) => layer.forward(x));
    return internal(() => {
      const all = this.joined(x);
      let end = 0;
      return this.#layers.map(({ weight: { shape } }) => {
        const start = end;
        end += shape[0] ?? 0;
        return all.slice(-1, start, end);
      });
    });
  }
}
