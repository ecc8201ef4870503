import type { FunctionBuilder, Local } from './assembler.js';
import type { PlainOp } from './opcodes.js';

/** Something that pushes an i32: a local, a constant, or emitted instructions (emitted anew at every use). */
export type Integer = Local<'i32'> | number | Push;
type Push = () => void;

/** Emits i32 arithmetic as expressions, for the address and loop arithmetic of hand-written kernels. */
export function integers(f: FunctionBuilder): Integers {
  return new Integers(f);
}

export class Integers {
  readonly #f: FunctionBuilder;

  constructor(f: FunctionBuilder) {
    this.#f = f;
  }

  push(value: Integer): void {
    if (typeof value === 'number') this.#f.i32(value);
    else if (typeof value === 'function') value();
    else this.#f.get(value);
  }

  set(local: Local<'i32'>, value: Integer): void {
    this.push(value);
    this.#f.set(local);
  }

  /** local += by */
  advance(local: Local<'i32'>, by: Integer): void {
    this.set(local, this.add(local, by));
  }

  add(first: Integer, ...others: readonly Integer[]): Push {
    return others.reduce<Push>(
      (sum, other) => this.#binary('i32.add', sum, other),
      () => this.push(first),
    );
  }

  multiply(first: Integer, ...others: readonly Integer[]): Push {
    return others.reduce<Push>(
      (product, other) => this.#binary('i32.mul', product, other),
      () => this.push(first),
    );
  }

  subtract(left: Integer, right: Integer): Push {
    return this.#binary('i32.sub', left, right);
  }

  /** Of numbers that are not negative; rounds down. */
  divide(left: Integer, right: Integer): Push {
    return this.#binary('i32.div_u', left, right);
  }

  remainder(left: Integer, right: Integer): Push {
    return this.#binary('i32.rem_u', left, right);
  }

  and(left: Integer, right: Integer): Push {
    return this.#binary('i32.and', left, right);
  }

  or(left: Integer, right: Integer): Push {
    return this.#binary('i32.or', left, right);
  }

  equal(left: Integer, right: Integer): Push {
    return this.#binary('i32.eq', left, right);
  }

  notEqual(left: Integer, right: Integer): Push {
    return this.#binary('i32.ne', left, right);
  }

  lessThan(left: Integer, right: Integer): Push {
    return this.#binary('i32.lt_s', left, right);
  }

  atMost(left: Integer, right: Integer): Push {
    return this.#binary('i32.le_s', left, right);
  }

  /** Both values are computed, whichever is chosen. */
  choose(condition: Integer, then: Integer, otherwise: Integer): Push {
    return () => {
      for (const value of [then, otherwise, condition]) this.push(value);
      this.#f.op('select');
    };
  }

  least(left: Integer, right: Integer): Push {
    return this.choose(this.lessThan(left, right), left, right);
  }

  most(left: Integer, right: Integer): Push {
    return this.choose(this.lessThan(left, right), right, left);
  }

  /** How many parts of `size` hold `value`. */
  parts(value: Integer, size: number): Push {
    return this.divide(this.add(value, size - 1), size);
  }

  /** The least multiple of `size` that is not below `value`. */
  roundUp(value: Integer, size: number): Push {
    return this.multiply(this.parts(value, size), size);
  }

  load(address: Integer, offset = 0): Push {
    return () => {
      this.push(address);
      this.#f.load('i32.load', offset);
    };
  }

  call(callee: FunctionBuilder, ...values: readonly Integer[]): void {
    for (const value of values) this.push(value);
    this.#f.call(callee);
  }

  when(condition: Integer, then: () => void, otherwise?: () => void): void {
    this.push(condition);
    this.#f.if(then, otherwise);
  }

  #binary(op: PlainOp, left: Integer, right: Integer): Push {
    return () => {
      this.push(left);
      this.push(right);
      this.#f.op(op);
    };
  }
}
