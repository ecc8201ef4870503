import { SluiceError } from '../../base/errors.js';
import type { FunctionBuilder, Local } from './assembler.js';
import type { LaneType, Vector } from './lanes.js';

/** The most 32-bit words that a launch takes. */
export const argumentWords = 256;

/** The 32-bit words of a launch, written by the caller in the order in which the kernel reads them. */
export class ArgumentWriter {
  readonly #words = new Int32Array(argumentWords);
  #length = 0;

  /** Forgets the last launch. */
  start(): this {
    this.#length = 0;
    return this;
  }

  get words(): Int32Array {
    return this.#words.subarray(0, this.#length);
  }

  integer(value: number): this {
    if (this.#length === argumentWords)
      throw new SluiceError('internal', { rule: `a launch has at most ${argumentWords} words` });
    this.#words[this.#length++] = value;
    return this;
  }

  /** A float64 in two words. */
  float(value: number): this {
    conversion.f64[0] = value;
    return this.integer(conversion.i32[0] ?? 0).integer(conversion.i32[1] ?? 0);
  }
}

const conversion = /* @__PURE__ */ (() => {
  const f64 = new Float64Array(1);
  return { f64, i32: new Int32Array(f64.buffer) };
})();

/** Emits the reading of a launch's words, in the order in which they were written. */
export class ArgumentReader {
  readonly #f: FunctionBuilder;
  readonly #base: Local<'i32'>;
  #offset = 0;

  constructor(f: FunctionBuilder, base: Local<'i32'>) {
    this.#f = f;
    this.#base = base;
  }

  integer(): Local<'i32'> {
    const local = this.#f.local('i32');
    this.#f.get(this.#base);
    this.#f.load('i32.load', this.#offset);
    this.#f.set(local);
    this.#offset += 4;
    return local;
  }

  /** A float64 in every lane. */
  splat(lanes: LaneType): Vector {
    const local = this.#f.local('v128');
    this.#f.get(this.#base);
    if (lanes === 'f64x2') this.#f.load('v128.load64_splat', this.#offset);
    else {
      this.#f.load('f64.load', this.#offset);
      this.#f.op('f32.demote_f64', 'f32x4.splat');
    }
    this.#f.set(local);
    this.#offset += 8;
    return local;
  }
}
