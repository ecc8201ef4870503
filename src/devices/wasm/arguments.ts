import type { FunctionBuilder, Local } from './assembler.js';
import type { LaneType, Vector } from './lanes.js';

/** The 32-bit words of a launch, written by the caller in the order in which the kernel reads them. */
export class ArgumentWriter {
  readonly words: number[] = [];

  integer(...values: readonly number[]): this {
    for (const value of values) this.words.push(value | 0);
    return this;
  }

  /** A float64 in two words. */
  float(value: number): this {
    const bits = new Int32Array(new Float64Array([value]).buffer);
    this.words.push(bits[0] ?? 0, bits[1] ?? 0);
    return this;
  }
}

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
