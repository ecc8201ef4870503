import type { FunctionBuilder, Local } from './assembler.js';
import type { PlainOp } from './opcodes.js';

/** Something that pushes an i32: a local, a constant, or emitted instructions (emitted anew at every use). */
export type Integer = Local<'i32'> | number | (() => void);

/** Emits i32 arithmetic as expressions, for the address and loop arithmetic of hand-written kernels. */
export function integers(f: FunctionBuilder) {
  const push = (value: Integer): void => {
    if (typeof value === 'number') f.i32(value);
    else if (typeof value === 'function') value();
    else f.get(value);
  };
  const binary =
    (op: PlainOp) =>
    (left: Integer, right: Integer): (() => void) =>
    () => {
      push(left);
      push(right);
      f.op(op);
    };
  const chain =
    (op: PlainOp) =>
    (first: Integer, ...others: readonly Integer[]): (() => void) =>
      others.reduce<() => void>(
        (sum, other) => binary(op)(sum, other),
        () => push(first),
      );
  const choose =
    (condition: Integer, then: Integer, otherwise: Integer): (() => void) =>
    () => {
      push(then);
      push(otherwise);
      push(condition);
      f.op('select');
    };
  const lessThan = binary('i32.lt_s');
  const add = chain('i32.add');
  const multiply = chain('i32.mul');
  const divide = binary('i32.div_u');
  return {
    push,
    add,
    multiply,
    divide,
    subtract: binary('i32.sub'),
    remainder: binary('i32.rem_u'),
    and: binary('i32.and'),
    or: binary('i32.or'),
    equal: binary('i32.eq'),
    notEqual: binary('i32.ne'),
    lessThan,
    atMost: binary('i32.le_s'),
    choose,
    least: (left: Integer, right: Integer) => choose(lessThan(left, right), left, right),
    most: (left: Integer, right: Integer) => choose(lessThan(left, right), right, left),
    /** The number of parts of `size` that hold `value`, rounded up. */
    parts: (value: Integer, size: number) => divide(add(value, size - 1), size),
    roundUp: (value: Integer, size: number) => multiply(divide(add(value, size - 1), size), size),
    load:
      (address: Integer, offset = 0): (() => void) =>
      () => {
        push(address);
        f.load('i32.load', offset);
      },
    set(local: Local<'i32'>, value: Integer): void {
      push(value);
      f.set(local);
    },
    advance(local: Local<'i32'>, by: Integer): void {
      push(add(local, by));
      f.set(local);
    },
    call(callee: FunctionBuilder, ...values: readonly Integer[]): void {
      for (const value of values) push(value);
      f.call(callee);
    },
    when(condition: Integer, then: () => void, otherwise?: () => void): void {
      push(condition);
      f.if(then, otherwise);
    },
  };
}
