import type { Expression } from './expression.js';
import type { Notation } from './notation.js';

/** One step of a stack program on SIMD lanes: an operand by position, an instruction, or a constant. */
export type LaneStep =
  | number
  | string
  | { readonly float: number }
  | { readonly bits: bigint }
  | { readonly shift: number };

type CallInC = (name: string, ...operands: string[]) => string;

/** What one lane does, on each kind of device. */
export interface Instruction {
  readonly steps: readonly LaneStep[];
  /** The same in C, on operands that are names; `call` writes the call of a function in devices/native/prelude.h. */
  readonly c: (call: CallInC, ...operands: string[]) => string;
}

/** What takes the place of a function in float64 lanes and, for an exact argument, in float32 lanes. */
export interface Expansion {
  readonly expand: (...operands: Expression[]) => Expression;
  readonly short?: {
    readonly expand: (...operands: Expression[]) => Expression;
    /** The largest error in ULP, over all float32. */
    readonly ulp: number;
    /** Bounds of the result that the analysis of rounding errors uses. */
    readonly range: 'unit' | 'signedUnit' | 'positive' | 'any';
  };
}

export interface Row {
  /** The value in float64. */
  readonly evaluate: (...values: number[]) => number;
  /** The partial derivatives, one per operand, closed and free of cancellation. */
  readonly derivative: (operands: readonly Expression[], self: Expression) => readonly (Expression | number)[];
  readonly notation: Notation;
  /**
   * How texts write it: by an operator or `where`; as a function; as a function that only `derived` forms hold (the
   * stable ones, what a kernel adds), which is read but not offered; not at all where it is a step of `lanes`.
   */
  readonly written: 'operator' | 'function' | 'derived' | 'lanes';
  /** Lane instructions where SIMD hardware has it, else the expression that takes its place. */
  readonly lanes: Instruction | Expansion;
  /** Arithmetic operations, or one special function, per element. */
  readonly cost: 'free' | 'operation' | 'special';
}
