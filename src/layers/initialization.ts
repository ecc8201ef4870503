import { type RandomKey, randomKey } from '../base/random.js';
import type { Device } from '../devices/device.js';
import { full, rand, randn, type Tensor } from '../tensor/index.js';

/** How random values are spread. */
export type Distribution = 'normal' | 'uniform';

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

  /** Uniform values in [-bound, bound). */
  uniform(shape: readonly number[], bound: number): Tensor {
    return learned(rand(this.device, shape, this.#key(), { low: -bound, high: bound }));
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
