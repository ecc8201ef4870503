import { type RandomKey, randomKey } from '../base/random.js';
import type { Device } from '../devices/device.js';
import { empty, full, rand, randn, type Tensor } from '../tensor/index.js';

/** How random values are spread. */
export type Distribution = 'normal' | 'uniform';

/**
 * Makes the parameters of a model in the order of the calls, each from a key of its own, so that equal seeds and
 * constructions give equal models on every device. Without a seed they hold nothing yet: for weights that are loaded.
 */
export class Initializer {
  readonly device: Device;
  readonly #seed: number | undefined;
  #count = 0;

  constructor(device: Device, seed: number | undefined) {
    this.device = device;
    this.#seed = seed;
  }

  #key(): RandomKey | undefined {
    return this.#seed === undefined ? undefined : randomKey(this.#seed, 'initialization', this.#count++);
  }

  #random(shape: readonly number[], draw: (key: RandomKey) => Tensor): Tensor {
    const key = this.#key();
    return learned(key === undefined ? empty(this.device, shape) : draw(key));
  }

  /** Normal values of that standard deviation. */
  normal(shape: readonly number[], deviation: number): Tensor {
    return this.#random(shape, (key) => randn(this.device, shape, key, { deviation }));
  }

  /** Uniform values in [-bound, bound). */
  uniform(shape: readonly number[], bound: number): Tensor {
    return this.#random(shape, (key) => rand(this.device, shape, key, { low: -bound, high: bound }));
  }

  /** Values of mean 0 and that standard deviation. */
  random(shape: readonly number[], deviation: number, distribution: Distribution): Tensor {
    // As far as the square root of 3 times its deviation reaches a uniform distribution.
    return distribution === 'normal' ? this.normal(shape, deviation) : this.uniform(shape, Math.sqrt(3) * deviation);
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
