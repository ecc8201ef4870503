import { completeOptions, type OptionTable } from '../base/options.js';
import { internal, type Tensor } from '../tensor/index.js';
import type { Initializer } from './initialization.js';
import { Layer } from './layer.js';
import { requireWidth } from './shapes.js';

export interface LinearOptions {
  readonly bias?: boolean;
  /** Standard deviation of the initial weights; 0.02 by default, as GPT-2 has it. */
  readonly deviation?: number;
}

const linearDefaults = { bias: false, deviation: 0.02 } satisfies OptionTable<LinearOptions>;

/** y = x W^T + b: [..., inputs] to [..., outputs]; the weight is [outputs, inputs] as in PyTorch. */
export class Linear extends Layer {
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  constructor(init: Initializer, inputs: number, outputs: number, options: LinearOptions = {}) {
    super();
    const { bias, deviation } = completeOptions('Linear', options, linearDefaults);
    this.weight = init.normal([outputs, inputs], deviation);
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
