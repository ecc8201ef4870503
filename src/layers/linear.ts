import { SluiceError } from '../base/errors.js';
import type { Tensor } from '../tensor/index.js';
import type { Initializer } from './initialization.js';
import { Layer } from './layer.js';

export interface LinearOptions {
  readonly bias?: boolean;
  /** Standard deviation of the initial weights; 0.02 by default, as GPT-2 has it. */
  readonly deviation?: number;
}

/** y = x W^T + b: [..., inputs] to [..., outputs]; the weight is [outputs, inputs] as in PyTorch. */
export class Linear extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(
    init: Initializer,
    inputs: number,
    outputs: number,
    { bias = false, deviation = 0.02 }: LinearOptions = {},
  ) {
    super();
    this.weight = init.normal([outputs, inputs], deviation);
    this.bias = bias ? init.constant([outputs], 0) : undefined;
  }

  override get decayed(): readonly string[] {
    return ['weight'];
  }

  forward(x: Tensor): Tensor {
    const inputs = this.weight.shape[1];
    if (x.shape.at(-1) !== inputs) {
      throw new SluiceError('shape', {
        rule: `a linear layer of weight [${this.weight.shape.join(', ')}] takes a last axis of ${inputs}`,
        received: x.shape,
        remedy: 'Is an operand outside the brackets it belongs in?',
      });
    }
    const product = x.matmul(this.weight.transpose(0, 1));
    return this.bias === undefined ? product : product.add(this.bias);
  }
}
