import { checkOptions, type OptionNames } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { concat, internal, type Tensor, tensor, zeros } from '../tensor/index.js';
import { requireAxes } from './shapes.js';

export interface ConvolutionCacheShape {
  readonly batch: number;
  readonly channels: number;
  /** How many elements before its own a causal convolution sees: dilation (kernel - 1). */
  readonly reach: number;
}

const sizes = { batch: 0, channels: 0, reach: 0 } satisfies OptionNames<ConvolutionCacheShape>;

/** The last inputs of a causal convolution, so that the next ones come alone: at first the zeros of its padding. */
export class ConvolutionCache implements Disposable {
  /** [batch, reach, channels]; undefined where there is none. */
  #rows: Tensor | undefined;
  #length = 0;

  constructor(device: Device, shape: ConvolutionCacheShape) {
    checkOptions('ConvolutionCache', shape, sizes);
    const { batch, channels, reach } = shape;
    this.#rows = reach === 0 ? undefined : zeros(device, [batch, reach, channels]).keep();
  }

  /** Elements seen. */
  get length(): number {
    return this.#length;
  }

  /** The elements before them, and the next ones [batch, channels, length], channels innermost; remembers the last. */
  extend(x: Tensor): Tensor {
    const rows = this.#rows;
    this.#length += x.shape[2] ?? 0;
    if (rows === undefined) return x;
    const [batch, reach = 0, channels] = rows.shape;
    requireAxes('a cache of a convolution', { batch, channels, length: undefined }, x);
    return internal(() => {
      const all = concat([rows, x.transpose(1, 2)], 1);
      rows.write(all.detach().slice(1, -reach));
      return all.transpose(1, 2);
    });
  }

  /** Goes on with these sequences of the batch, in this order, some of them perhaps several times: beams. */
  take(rows: readonly number[]): void {
    const before = this.#rows;
    if (before === undefined) return;
    const { device } = before;
    this.#rows = internal(() => before.gather(tensor(device, Int32Array.from(rows))).keep());
    before.dispose();
  }

  /** Forgets all, keeping the memory. */
  clear(): void {
    this.#length = 0;
    this.#rows?.write(new Float32Array(this.#rows.size));
  }

  dispose(): void {
    this.#rows?.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
