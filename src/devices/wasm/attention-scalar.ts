import { type Expression, variable } from '../../scalar/expression.js';
import { expand } from '../../scalar/lower.js';
import type { FunctionBuilder } from './assembler.js';
import { LanePrinter, type LaneType, type Vector } from './lanes.js';

const x = variable('x');

/** Emits a function of one vector; returns the vector of results. */
export type LaneFunction = (argument: Vector) => Vector;

/** e^x of four float32. Call it ahead of the loop: the constants are loaded here. */
export function prepareExponential(f: FunctionBuilder, relaxed: boolean): LaneFunction {
  return prepare(f, expand(x.exp(), 'float32'), 'f32x4', relaxed);
}

/** The natural logarithm of two float64; constants as above. */
export function prepareLogarithm(f: FunctionBuilder, relaxed: boolean): LaneFunction {
  return prepare(f, expand(x.log()), 'f64x2', relaxed);
}

function prepare(f: FunctionBuilder, expression: Expression, type: LaneType, relaxed: boolean): LaneFunction {
  const printer = new LanePrinter(f, type, relaxed);
  printer.hoistConstants([expression]);
  return (argument) => {
    const [result] = printer.evaluate([expression], new Map([[x, argument]]));
    return result ?? argument;
  };
}
