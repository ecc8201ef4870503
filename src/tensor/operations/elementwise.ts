import { SluiceError } from '../../base/errors.js';
import { apply, type Expression, toExpression, variable } from '../../scalar/expression.js';
import type { Primitive } from '../../scalar/primitives.js';
import { integerPower, longestPower } from '../../scalar/sums.js';
import { MapProgram } from '../map-program.js';
import type { Tensor } from '../tensor.js';
import { mapTensors, runMap } from './map.js';

const names = ['a', 'b', 'c', 'd'] as const;
const programs = new Map<string, MapProgram>();

/**
 * A primitive on tensors and numbers; one operand at least is a tensor. A tensor given twice is one variable.
 * Numbers are the kernel's scalars, so that a value that changes from call to call makes no new kernel.
 */
export function applyPrimitive(primitive: Primitive, operands: readonly (Tensor | number)[]): Tensor {
  const tensors: Tensor[] = [];
  const numbers: number[] = [];
  let pattern: string = primitive;
  for (const operand of operands) {
    if (typeof operand === 'number') {
      pattern += ' #';
      numbers.push(operand);
      continue;
    }
    const known = tensors.indexOf(operand);
    if (known < 0) tensors.push(operand);
    pattern += ` ${known < 0 ? tensors.length - 1 : known}`;
  }
  let program = programs.get(pattern);
  if (program === undefined) {
    program = makeProgram(primitive, pattern, tensors.length);
    programs.set(pattern, program);
  }
  const [result] = runMap(program, tensors, numbers, primitive);
  if (result === undefined) throw new SluiceError('internal', { rule: 'a primitive has one result' });
  return result;
}

function makeProgram(primitive: Primitive, pattern: string, tensors: number): MapProgram {
  const scalars: string[] = [];
  const operands = pattern
    .split(' ')
    .slice(1)
    .map((code) => {
      if (code !== '#') return variable(names[Number(code)] ?? '');
      const name = `scalar${scalars.length}`;
      scalars.push(name);
      return variable(name);
    });
  return new MapProgram(primitive, [apply(primitive, ...operands)], names.slice(0, tensors), scalars, false);
}

const base = variable('x');
const powers = new Map<number, readonly [Expression]>();

/** x to a power. Small whole exponents are products, which hold for negative x too. */
export function power(x: Tensor, exponent: Tensor | number): Tensor {
  if (typeof exponent !== 'number' || !Number.isInteger(exponent) || Math.abs(exponent) > longestPower) {
    return applyPrimitive('pow', [x, exponent]);
  }
  const outputs = powers.get(exponent) ?? ([integerPower(base, exponent)] as const);
  powers.set(exponent, outputs);
  return mapTensors(outputs, { x }, {}, { operation: 'pow' })[0];
}

/** An activation, or anything that holds an expression in `x` and its parameters. */
export interface ScalarFunction {
  readonly expression: Expression;
}

const expressions = new WeakMap<object, readonly [Expression]>();

/** The expression of a function or activation, built once for each object. */
function outputsOf(fn: ScalarFunction | ((x: Expression) => Expression)): readonly [Expression] {
  const known = expressions.get(fn);
  if (known !== undefined) return known;
  const outputs = [toExpression(typeof fn === 'function' ? fn(base) : fn.expression)] as const;
  expressions.set(fn, outputs);
  return outputs;
}

/**
 * A scalar function of each element, as one kernel. Parameters of the function are tensors (learned; they broadcast)
 * or numbers, by name. Infinities give the function's limits, NaN gives NaN, in the gradient too.
 */
export function mapFunction(
  x: Tensor,
  fn: ScalarFunction | ((x: Expression) => Expression),
  parameters: Readonly<Record<string, Tensor | number>>,
): Tensor {
  const inputs: Record<string, Tensor> = { x };
  const scalars: Record<string, number> = {};
  for (const [name, value] of Object.entries(parameters)) {
    if (typeof value === 'number') scalars[name] = value;
    else inputs[name] = value;
  }
  return mapTensors(outputsOf(fn), inputs, scalars, { extended: true })[0];
}
