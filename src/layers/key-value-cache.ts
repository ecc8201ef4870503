import { SluiceError } from '../base/errors.js';
import { checkOptions, type OptionNames } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { internal, type Tensor, tensor, zeros } from '../tensor/index.js';
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

/** The first positions that memory is reserved for; more is twice as much each time. */
const firstPositions = 256;

/** The keys and values of one layer for the tokens seen so far. Memory grows with them, up to `positions`. */
export class KeyValueCache implements Disposable {
  readonly #device: Device;
  readonly #positions: number;
  #key: Tensor;
  #value: Tensor;
  #length = 0;

  constructor(device: Device, sizes: CacheShape) {
    checkOptions('KeyValueCache', sizes, cacheSizes);
    const { batch, positions, keyValueHeads, headDim } = sizes;
    this.#device = device;
    this.#positions = positions;
    const shape = [batch, Math.min(positions, firstPositions), keyValueHeads, headDim];
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
    if (end > this.#positions) {
      throw new SluiceError('shape', {
        rule: `a cache holds ${this.#positions} positions`,
        received: end,
        remedy: 'Make the cache with more positions, or append fewer tokens.',
      });
    }
    const [, reserved = 0] = this.#key.shape;
    if (end > reserved) this.#move(undefined, Math.min(this.#positions, Math.max(end, 2 * reserved)));
    internal(() => {
      this.#key.slice(1, this.#length, end).write(key);
      this.#value.slice(1, this.#length, end).write(value);
    });
    this.#length = end;
    return { key: this.#key.slice(1, 0, end), value: this.#value.slice(1, 0, end) };
  }

  /** Goes on with these sequences of the batch, in this order, some of them perhaps several times: beams. */
  take(rows: readonly number[]): void {
    if (rows.length === this.#key.shape[0] && rows.every((row, i) => row === i)) return;
    this.#move(rows, this.#key.shape[1] ?? 0);
  }

  /** To other memory, for so many positions. */
  #move(rows: readonly number[] | undefined, positions: number): void {
    const [key, value] = [this.#key, this.#value];
    const moved = (from: Tensor): Tensor => {
      const [batch = 0, , ...rest] = from.shape;
      const seen = from.slice(1, 0, this.#length);
      const taken = rows === undefined ? seen : seen.gather(tensor(this.#device, Int32Array.from(rows)));
      const to = zeros(this.#device, [rows?.length ?? batch, positions, ...rest]).keep();
      if (this.#length > 0) to.slice(1, 0, this.#length).write(taken);
      return to;
    };
    [this.#key, this.#value] = internal(() => [moved(key), moved(value)] as const);
    key.dispose();
    value.dispose();
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
