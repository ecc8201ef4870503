import { type RandomKey, randomKey } from '../base/random.js';
import type { Device } from '../devices/device.js';
import { variables } from '../scalar/expression.js';
import { full, mapInto, rand, randn, type Tensor } from '../tensor/index.js';

const [x, bound] = variables('x', 'bound');
const scaled = x.mul(2).sub(1).mul(bound);

/**
 * Makes the parameters of a model in the order of the calls, each from a key of its own, so that equal seeds and
 * constructions give equal models on every device.
 */
export class Initializer {
  readonly device: Device;
  readonly #seed: number;
  #count = 0;

  constructor(device: Device, seed: number) {
    this.device = device;
    this.#seed = seed;
  }

  #key(): RandomKey {
    return randomKey(this.#seed, 'initialization', this.#count++);
  }

  /** Normal values of that standard deviation. */
  normal(shape: readonly number[], deviation: number): Tensor {
    return learned(randn(this.device, shape, this.#key(), { deviation }));
  }

  /** Uniform values between -bound and bound. */
  uniform(shape: readonly number[], bound: number): Tensor {
    const drawn = rand(this.device, shape, this.#key());
    mapInto([scaled], [drawn], { x: drawn }, { bound });
    return learned(drawn);
  }

  /** One value everywhere. */
  constant(shape: readonly number[], value: number): Tensor {
    return learned(full(this.device, shape, value));
  }
}

function learned(tensor: Tensor): Tensor {
  tensor.requiresGrad = true;
  return tensor.keep();
}
