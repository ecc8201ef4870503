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
const standardized = centred.div(deviation).mul(weight).add(bias);

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

/** An RMSNorm by 1 + weight, which begins with 0: weight decay draws it to 1. Source: Gemma 2024, arXiv:2403.08295. */
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

/** (x - mean) / sqrt(variance + epsilon) * weight + bias over the last axis. Source: Ba 2016, arXiv:1607.06450. */
export class LayerNorm extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor;
  readonly #epsilon: number;

  constructor(init: Initializer, dim: number, epsilon = 1e-5) {
    super();
    this.weight = init.constant([dim], 1);
    this.bias = init.constant([dim], 0);
    this.#epsilon = epsilon;
  }

  forward(input: Tensor): Tensor {
    requireWidth('a LayerNorm', this.weight, input);
    const operands = { elements: { x: input }, columns: { weight: this.weight, bias: this.bias } };
    return rowTensors([standardized], operands, { epsilon: this.#epsilon }, 'LayerNorm')[0];
  }
}
