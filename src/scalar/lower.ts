import { joinDistributions } from './distributions.js';
import {
  apply,
  constant,
  type Expression,
  fact,
  reachable,
  substitute,
  variable,
  variablesOf,
  withOperands,
} from './expression.js';
import { evaluate } from './interpret.js';
import { float32Error, float32Tolerance, largest } from './precision.js';
import { primitives } from './primitives.js';
import { isSafeDivisor } from './ranges.js';
import { simplify } from './simplify.js';

/**
 * Stands for infinity while a function is evaluated in float64: its square root is beyond every finite float32,
 * its cube is finite, so that limits such as that of x sigmoid(x) come out as numbers.
 */
export const beyond = 2 ** 280;

/**
 * Extends an expression in float32 inputs to the whole line: at an infinity it takes the limit, at NaN it is NaN.
 */
export function extend(expression: Expression, inputs: readonly string[]): Expression {
  const simple = simplify(expression);
  const joined = joinDistributions(simple);
  const [only, ...others] = variablesOf([simple]);
  const isCheap = only !== undefined && others.length === 0 && float32Error([joined]) <= float32Tolerance;
  const bounded = isMonotonePiece(simple) ? simple : isCheap ? withLimits(joined, only) : clampInputs(simple, inputs);
  return inputs.reduce(
    (result, name) => (carriesNan(result).has(name) ? result : apply('carryNan', variable(name), result)),
    bounded,
  );
}

const clampInputs = (expression: Expression, inputs: readonly string[]): Expression =>
  substitute(expression, Object.fromEntries(inputs.map((name) => [name, variable(name).max(-beyond).min(beyond)])));

/**
 * Leaves the expression alone where IEEE arithmetic finds the limits by itself, else takes the largest float32 for an
 * infinity where that gives the same, else selects them as constants.
 */
function withLimits(expression: Expression, name: string): Expression {
  const [x, infinite] = [variable(name), Number.POSITIVE_INFINITY];
  const clamped = clampInputs(expression, [name]);
  const limit = (at: number): number => Math.fround(evaluate(clamped, { [name]: at }));
  const finds = (candidate: Expression, at: number): boolean =>
    Object.is(Math.fround(evaluate(candidate, { [name]: at })), limit(at));
  const below = substitute(expression, { [name]: x.max(-largest) });
  const left = finds(expression, -infinite)
    ? expression
    : finds(below, -infinite)
      ? below
      : x.whereLess(-largest, limit(-infinite), expression);
  return finds(left, infinite) ? left : constant(largest).whereLess(x, limit(infinite), left);
}

/** Made of steps that take infinities to their limits by themselves: no product, quotient or difference of two. */
function isMonotonePiece(expression: Expression): boolean {
  return reachable([expression]).every(({ node }) => {
    if (node.kind !== 'apply') return true;
    const constants = node.operands.filter((operand) => operand.value !== undefined).length;
    if (node.primitive === 'add' || node.primitive === 'sub') return constants > 0;
    if (node.primitive === 'mul') return node.operands.some(({ value }) => value !== undefined && value !== 0);
    return ['neg', 'abs', 'min', 'max', 'select', 'carryNan'].includes(node.primitive);
  });
}

/** The variables whose NaN surely reaches the result: a selection must carry it on both branches. */
const carriesNan = fact<ReadonlySet<string>>(({ node }, operands) => {
  if (node.kind === 'variable') return new Set([node.name]);
  if (node.kind !== 'apply' || node.primitive === 'signum') return new Set();
  if (node.primitive !== 'select') return new Set(operands.flatMap((names) => [...names]));
  const [, , then, otherwise] = operands;
  return new Set([...(then ?? [])].filter((name) => otherwise?.has(name)));
});

const expanded = { float32: new Map<Expression, Expression>(), float64: new Map<Expression, Expression>() };

/** Replaces the functions that lanes lack by their expansions, until only lane instructions are left. */
export function expand(expression: Expression, type: keyof typeof expanded = 'float64'): Expression {
  const known = expanded[type].get(expression);
  if (known !== undefined) return known;
  // From the top down: an expansion is made for the ranges of its operands as they were.
  const { node } = expression;
  const lanes = node.kind === 'apply' ? primitives[node.primitive].lanes : undefined;
  const hasExpansion = lanes !== undefined && 'expand' in lanes;
  const made = hasExpansion
    ? expand((type === 'float32' ? (lanes.short ?? lanes) : lanes).expand(...expression.operands), type)
    : expandOperands(byRatio(expression, type), type);
  expanded[type].set(expression, made);
  return made;
}

const expandOperands = (expression: Expression, type: keyof typeof expanded): Expression =>
  withOperands(
    expression,
    expression.operands.map((operand) => expand(operand, type)),
  );

/** In float64, a quotient whose divisor is neither small nor large needs no division. */
function byRatio(expression: Expression, type: keyof typeof expanded): Expression {
  const [a, b] = expression.operands;
  const { node } = expression;
  const isQuotient = node.kind === 'apply' && node.primitive === 'div' && type === 'float64';
  if (!isQuotient || a === undefined || b === undefined || !isSafeDivisor(b)) return expression;
  return b.value === undefined ? apply('ratio', a, b) : a.mul(1 / b.value);
}

export interface Cost {
  /** Arithmetic operations per element, shared subexpressions counted once. */
  readonly operations: number;
  /** Special functions per element: exp, tanh, square roots, ... after common subexpressions are shared. */
  readonly special: number;
}

/** What an evaluation of the outputs together costs per element. */
export function cost(outputs: readonly Expression[]): Cost {
  let operations = 0;
  let special = 0;
  for (const { node } of reachable(outputs.map(simplify))) {
    if (node.kind !== 'apply') continue;
    const kind = primitives[node.primitive].cost;
    if (kind === 'operation') operations++;
    if (kind === 'special') special++;
  }
  return { operations, special };
}

/** How many times the lanes evaluate an exponential or a logarithm for these outputs, once expanded. */
export function exponentials(outputs: readonly Expression[]): number {
  const transcendental = reachable(outputs.map((output) => expand(simplify(output))));
  return transcendental.filter(({ node }) => node.kind === 'apply' && node.primitive === 'scale').length;
}
