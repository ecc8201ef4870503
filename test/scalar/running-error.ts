import { type Expression, reachable, variable } from '../../src/scalar/expression.js';
import { type Evaluator, interpreter } from '../../src/scalar/interpret.js';
import { arity, type Primitive, primitives } from '../../src/scalar/primitives.js';

export interface Measured {
  readonly value: number;
  /** A bound on the rounding error of `value`, to first order; infinite where nothing can be said. */
  readonly error: number;
}

const names = ['a', 'b', 'c', 'd'];
const derivatives = new Map<Primitive, Evaluator>();

/** The partial derivatives of a primitive at numbers: its operands, then its own value. */
function partials(primitive: Primitive, operands: readonly number[], value: number): number[] {
  let evaluator = derivatives.get(primitive);
  if (evaluator === undefined) {
    const variables = names.slice(0, arity(primitive));
    const outputs = primitives[primitive].derivative(variables.map(variable), variable('self'));
    const expressions = outputs.map((output) =>
      typeof output === 'number' ? variable('a').mul(0).add(output) : output,
    );
    evaluator = interpreter(expressions, [...variables, 'self']);
    derivatives.set(primitive, evaluator);
  }
  return evaluator([...operands, value]);
}

const jumps: readonly Primitive[] = ['signum', 'floor', 'round', 'select'];

/** Whether operands that are off by their errors may be on the other side of a jump. */
function mayJump(primitive: Primitive, operands: readonly Measured[]): boolean {
  if (primitive === 'pow') return operands.some(({ error }) => error > 0) && !isClearlyPositive(operands[0] ?? nothing);
  if (!jumps.includes(primitive)) return false;
  const [a = nothing, b = nothing] = operands;
  if (primitive === 'select') return a.error + b.error > 0 && Math.abs(a.value - b.value) <= 100 * (a.error + b.error);
  return a.error > 0 && primitive === 'signum' ? Math.abs(a.value) <= 100 * a.error : a.error > 0;
}

const isClearlyPositive = ({ value, error }: Measured): boolean => value > 100 * error;
const nothing: Measured = { value: 0, error: 0 };

/** Evaluates in float64 and follows the rounding errors by the derivatives. */
export function measure(root: Expression, values: Readonly<Record<string, number>>): Measured {
  const done = new Map<Expression, Measured>();
  for (const expression of reachable([root])) {
    const { node } = expression;
    if (node.kind === 'constant') done.set(expression, { value: node.value, error: 0 });
    else if (node.kind === 'variable') done.set(expression, { value: values[node.name] ?? Number.NaN, error: 0 });
    else if (node.kind === 'apply') {
      const operands = node.operands.map((operand) => done.get(operand) ?? nothing);
      done.set(expression, step(node.primitive, operands));
    }
  }
  return done.get(root) ?? nothing;
}

function step(primitive: Primitive, operands: readonly Measured[]): Measured {
  const numbers = operands.map(({ value }) => value);
  const value = primitives[primitive].evaluate(...numbers);
  // At 0 the slope of abs is 0, and yet it passes the error on.
  const slopes = primitive === 'abs' ? [1] : partials(primitive, numbers, value);
  const inherited = operands.reduce(
    (sum, { error }, i) => sum + (error === 0 ? 0 : Math.abs(slopes[i] ?? 0) * error),
    0,
  );
  // Of 0 times 0 the slopes say nothing.
  const second = primitive === 'mul' ? operands.reduce((product, { error }) => product * error, 1) : 0;
  const error = inherited * 1.5 + second + Math.abs(value) * 2 ** -50 + 2 ** -1050;
  const isSound = numbers.every(Number.isFinite) && Number.isFinite(value) && !mayJump(primitive, operands);
  return { value, error: isSound && Number.isFinite(error) ? error : Number.POSITIVE_INFINITY };
}
