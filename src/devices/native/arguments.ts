import { SluiceError } from '../../base/errors.js';
import type { View } from '../device.js';
import { addressOf } from './memory.js';

const mostWords = 256;

/** The words of a launch, in the order in which the kernel reads them. */
export class ArgumentWriter {
  readonly #words = new Float64Array(mostWords);
  #length = 0;

  /** Forgets the last launch. */
  start(): this {
    this.#length = 0;
    return this;
  }

  get words(): Float64Array {
    return this.#words.subarray(0, this.#length);
  }

  number(value: number): this {
    if (this.#length === mostWords)
      throw new SluiceError('internal', { rule: `a launch has at most ${mostWords} words` });
    this.#words[this.#length++] = value;
    return this;
  }

  address(view: View): this {
    return this.number(addressOf(view));
  }
}
