import { completeOptions, type OptionTable } from '../base/options.js';
import { variable } from '../scalar/expression.js';
import { rowTensors, type Tensor } from '../tensor/index.js';
import type { Initializer } from './initialization.js';
import { Layer } from './layer.js';
import { requireWidth } from './shapes.js';

const x = variable('x');
const weight = variable('weight');
const bias = variable('bias');
const epsilon = variable('epsilon');
const length = variable('length');

const rootMeanSquare = x.mul(x).sum().div(length).add(epsilon).sqrt();
const normalized = x.div(rootMeanSquare);
const scaled = normalized.mul(weight);
const offset = normalized.mul(weight.add(1));
const centred = x.sub(x.sum().div(length));
const deviation = centred.mul(centred).sum().div(length).add(epsilon).sqrt();
const unbiased = centred.div(deviation).mul(weight);
const standardized = unbiased.add(bias);

/** x / sqrt(mean(x^2) + epsilon) * weight over the last axis. Source: Zhang and Sennrich 2019, arXiv:1910.07467. */
export class RmsNorm extends Layer {
  readonly weight: Tensor;
  readonly #epsilon: number;

  constructor(init: Initializer, dim: number, epsilon = 1e-5) {
    super();
    this.weight = init.constant([dim], 1);
    this.#epsilon = epsilon;
  }

  forward(input: Tensor): Tensor {
    requireWidth('an RMSNorm', this.weight, input);
    const operands = { elements: { x: input }, columns: { weight: this.weight } };
    return rowTensors([scaled], operands, { epsilon: this.#epsilon }, 'RMSNorm')[0];
  }
}

/** An RMSNorm by 1 + weight, which begins with 0. Source: Gemma 2024, arXiv:2403.08295. */
export class OffsetRmsNorm extends Layer {
  readonly weight: Tensor;
  readonly #epsilon: number;

  constructor(init: Initializer, dim: number, epsilon = 1e-6) {
    super();
    this.weight = init.constant([dim], 0);
    this.#epsilon = epsilon;
  }

  forward(input: Tensor): Tensor {
    requireWidth('an RMSNorm', this.weight, input);
    const operands = { elements: { x: input }, columns: { weight: this.weight } };
    return rowTensors([offset], operands, { epsilon: this.#epsilon }, 'RMSNorm')[0];
  }
}

export interface LayerNormOptions {
  /** True by default. */
  readonly bias?: boolean;
}

const layerNormDefaults = { bias: true } satisfies OptionTable<LayerNormOptions>;

/** (x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis. Source: Ba 2016, arXiv:1607.06450. */
export class LayerNorm extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;
  readonly #epsilon: number;

  constructor(init: Initializer, dim: number, epsilon = 1e-5, options: LayerNormOptions = {}) {
    super();
    const { bias } = completeOptions('LayerNorm', options, layerNormDefaults);
    this.weight = init.constant([dim], 1);
    this.bias = bias ? init.constant([dim], 0) : undefined;
    this.#epsilon = epsilon;
  }

  forward(input: Tensor): Tensor {
    requireWidth('a LayerNorm', this.weight, input);
    const [elements, scalars] = [{ x: input }, { epsilon: this.#epsilon }];
    if (this.bias === undefined) {
      return rowTensors([unbiased], { elements, columns: { weight: this.weight } }, scalars, 'LayerNorm')[0];
    }
    const columns = { weight: this.weight, bias: this.bias };
    return rowTensors([standardized], { elements, columns }, scalars, 'LayerNorm')[0];
  }
}
