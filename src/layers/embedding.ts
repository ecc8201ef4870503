import type { Tensor } from '../tensor/index.js';
import type { Initializer } from './initialization.js';
import { Layer } from './layer.js';

/** A learned vector for each of `count` tokens: int32 [...] to [..., dim]. */
export class Embedding extends Layer {
  readonly weight: Tensor;

  constructor(init: Initializer, count: number, dim: number, deviation = 0.02) {
    super();
    this.weight = init.normal([count, dim], deviation);
  }

  forward(tokens: Tensor): Tensor {
    return this.weight.gather(tokens);
  }
}
