import { type RandomKey, randomKey, threefry } from '../base/random.js';
import { rand, type Tensor } from '../tensor/index.js';

/** Whether a forward pass trains, and where its random numbers come from. */
export class Mode {
  readonly training: boolean;
  readonly #key: RandomKey | undefined;
  #draws = 0;

  private constructor(key?: RandomKey) {
    this.training = key !== undefined;
    this.#key = key;
  }

  static readonly evaluation = (): Mode => new Mode();

  /** Training with draws that depend on the seed, the step and the order within the pass alone. */
  static readonly training = (seed: number, step: number, micro = 0): Mode =>
    new Mode(randomKey(seed, 'dropout', step * 4096 + micro));

  /** A fresh key for one tensor of draws. */
  nextKey(): RandomKey {
    const { k0, k1 } = this.#key ?? { k0: 0, k1: 0 };
    const [a, b] = threefry(k0, k1, this.#draws++, 0x5eed);
    return { k0: a, k1: b };
  }
}

/** Uniform numbers in [0, 1), one for each element of the tensor. */
export const noiseLike = (x: Tensor, mode: Mode): Tensor => rand(x.device, x.shape, mode.nextKey());
