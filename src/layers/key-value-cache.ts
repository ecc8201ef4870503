import { SluiceError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { internal, type Tensor, zeros } from '../tensor/index.js';
import { requireAxes } from './shapes.js';

export interface CacheShape {
  readonly batch: number;
  /** The longest sequence it holds. */
  readonly positions: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
}

const cacheSizes = {
  batch: 0,
  positions: 0,
  keyValueHeads: 0,
  headDim: 0,
} satisfies OptionNames<CacheShape>;

/** The keys and values of one layer for the tokens seen so far, in memory that is reserved once. */
export class KeyValueCache implements Disposable {
  readonly #key: Tensor;
  readonly #value: Tensor;
  #length = 0;

  constructor(device: Device, sizes: CacheShape) {
    checkOptions('KeyValueCache', sizes, cacheSizes);
    const { batch, positions, keyValueHeads, headDim } = sizes;
    const shape = [batch, positions, keyValueHeads, headDim];
    this.#key = zeros(device, shape).keep();
    this.#value = zeros(device, shape).keep();
  }

  /** Positions filled. */
  get length(): number {
    return this.#length;
  }

  /** Adds the keys and values of new tokens; gives those of all tokens. */
  append(key: Tensor, value: Tensor): { key: Tensor; value: Tensor } {
    const [batch, , keyValueHeads, headDim] = this.#key.shape;
    for (const states of [key, value]) {
      requireAxes('a key/value cache', { batch, time: key.shape[1], keyValueHeads, headDim }, states);
    }
    const end = this.#length + (key.shape[1] ?? 0);
    if (end > (this.#key.shape[1] ?? 0)) {
      throw new SluiceError('shape', {
        rule: `a cache holds ${this.#key.shape[1]} positions`,
        received: end,
        remedy: 'Make the cache with more positions, or append fewer tokens.',
      });
    }
    internal(() => {
      this.#key.slice(1, this.#length, end).write(key);
      this.#value.slice(1, this.#length, end).write(value);
    });
    this.#length = end;
    return { key: this.#key.slice(1, 0, end), value: this.#value.slice(1, 0, end) };
  }

  /** Forgets all tokens, keeping the memory. */
  clear(): void {
    this.#length = 0;
  }

  dispose(): void {
    this.#key.dispose();
    this.#value.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
