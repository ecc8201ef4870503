import type { Activation } from '../../activations/kinds.js';
import { derivative, gradient } from '../../scalar/differentiate.js';
import { constant, type Expression, substitute, transform, variable, withOperands } from '../../scalar/expression.js';
import { interpreter } from '../../scalar/interpret.js';
import { toText } from '../../scalar/print.js';
import { simplify } from '../../scalar/simplify.js';
import { lossFormulas } from '../../training/losses.js';
import type { Vector } from './linear-algebra.js';
import type { ExplainedLoss } from './loss-names.js';

/** An activation in z, and its derivative as the system derives it. */
export interface Curve {
  readonly name: string;
  readonly formula: string;
  readonly derivative: string;
  value(z: number): number;
  slope(z: number): number;
}

export function curveOf(activation: Activation): Curve {
  const value = activation.of(variable('z'));
  const slope = simplify(derivative(value, 'z'));
  const run = interpreter([value, slope], ['z']);
  return {
    name: activation.name,
    formula: toText(value),
    derivative: toText(slope),
    value: (z) => run([z])[0] ?? Number.NaN,
    slope: (z) => run([z])[1] ?? Number.NaN,
  };
}

const [a, y, length] = [variable('a'), variable('y'), variable('length')];
const each = (formula: Expression): Expression => substitute(formula, { prediction: a, target: y, delta: 1 });

/** Losses of a row of outputs a and targets y. */
const losses = {
  'half-squared-error': each(lossFormulas.meanSquaredError).sum().div(2),
  mse: each(lossFormulas.meanSquaredError).sum().div(length),
  huber: each(lossFormulas.huber).sum().div(length),
  'binary-cross-entropy': each(lossFormulas.binaryCrossEntropy).sum().div(length),
  'cross-entropy': a.exp().sum().log().mul(y.sum()).sub(y.mul(a).sum()),
} as const satisfies Record<ExplainedLoss, Expression>;

/** Losses of logits: no activation stands before them. */
export const takesLogits = (loss: ExplainedLoss): boolean => loss.endsWith('cross-entropy');

/** As a row expression in `a` and `y`, of the loss of one row. */
export const lossExpression = (loss: ExplainedLoss): Expression => losses[loss];

export interface Loss {
  readonly name: ExplainedLoss;
  readonly formula: string;
  readonly derivative: string;
  value(outputs: Vector, targets: Vector): number;
  gradient(outputs: Vector, targets: Vector): Vector;
}

/** A loss of so many outputs, and its derivative by each, as the system derives it. */
export function lossOf(name: ExplainedLoss, outputs: number): Loss {
  const row = losses[name];
  const places = Array.from({ length: outputs }, (_, k) => k);
  const whole = unrolled(row, outputs);
  const slopes = gradient([{ output: whole, cotangent: 1 }], places.map(outputName));
  const run = interpreter([whole, ...slopes], [...places.map(outputName), ...places.map(targetName)]);
  const [slope = constant(0)] = gradient([{ output: row, cotangent: 1 }], ['a'], new Set(['a', 'y']));
  return {
    name,
    formula: toText(row),
    derivative: toText(slope),
    value: (given, targets) => run([...given, ...targets])[0] ?? Number.NaN,
    gradient: (given, targets) => run([...given, ...targets]).slice(1),
  };
}

const outputName = (k: number): string => `a${k}`;
const targetName = (k: number): string => `y${k}`;

/** A row expression with its sums written out, a variable for each place. */
function unrolled(row: Expression, count: number): Expression {
  const whole = transform(row, (expression, operands) => {
    const [summand] = operands;
    if (expression.node.kind !== 'reduce' || summand === undefined) return withOperands(expression, operands);
    const parts = Array.from({ length: count }, (_, k) =>
      substitute(summand, { a: variable(outputName(k)), y: variable(targetName(k)) }),
    );
    return parts.reduce((sum, part) => sum.add(part));
  });
  return substitute(whole, { length: count });
}
