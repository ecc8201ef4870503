import { show } from '../base/errors.js';
import type { Tensor } from '../tensor/index.js';
import { checkWhole } from '../tensor/operations/operands.js';
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
    checkWhole(`an embedding of weight ${show(this.weight.shape)}`, 'tokens', tokens);
    return this.weight.gather(tokens);
  }
}
