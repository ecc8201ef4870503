import { plainCondition } from './conditions.js';
import { constant, type Expression, transform, withOperands } from './expression.js';
import { operandsOf, summand } from './match.js';
import { type Primitive, primitives } from './primitives.js';
import { stableCall, stableProduct, stableSum } from './stable.js';
import { fromProduct, fromSum, integerPower, longestPower, type Product, type Sum, toProduct, toSum } from './sums.js';

const memo = new Map<Expression, Expression>();

/** A rule may make room for another; two rounds have been enough for whatever was tried. */
const mostRounds = 8;

/**
 * Folds constants, collects like terms and factors, and applies the stable forms, until nothing changes. The result is the
 * same function over the reals. Never run it on expanded special functions: it would undo their compensated sums.
 */
export function simplify(expression: Expression): Expression {
  let simple = expression;
  for (let round = 0; round < mostRounds; round++) {
    const next = transform(simple, (node, operands) => simplifyNode(withOperands(node, operands)), memo);
    if (next === simple) break;
    simple = next;
  }
  memo.set(expression, simple);
  return simple;
}

function simplifyNode(expression: Expression): Expression {
  const { node } = expression;
  if (node.kind === 'reduce') return simplifyReduction(expression);
  if (node.kind !== 'apply') return expression;
  const values = node.operands.map((operand) => operand.value);
  if (values.every((value) => value !== undefined) && !isInexactFraction(node.primitive, values)) {
    return constant(primitives[node.primitive].evaluate(...values));
  }
  const simplified = rules[node.primitive]?.(expression, node.operands) ?? viaStableCall(node.primitive, node.operands);
  return simplified ?? expression;
}

/** 1/6 stays a fraction: folding would round it before it is used. */
function isInexactFraction(primitive: Primitive, [a = 0, b = 0]: readonly number[]): boolean {
  return primitive === 'div' && !Number.isInteger(a / b) && !Number.isInteger(Math.log2(Math.abs(b)));
}

function viaStableCall(primitive: Primitive, operands: readonly Expression[]): Expression | undefined {
  const [u] = operands;
  const stable = operands.length === 1 && u !== undefined ? stableCall(primitive, u) : undefined;
  return stable === undefined ? undefined : simplify(stable);
}

function simplifySum(expression: Expression): Expression {
  const sum = toSum(expression);
  const stable = stableSum(sum) ?? mergeSelections(sum);
  return stable === undefined ? fromSum(sum) : simplify(fromSum(sum).add(stable));
}

function simplifyProduct(expression: Expression): Expression {
  const product = toProduct(expression);
  const changed = stableProduct(product);
  const result = enterSelection(product) ?? fromProduct(product);
  return changed ? simplify(result) : result;
}

const selection = (expression: Expression): readonly Expression[] | undefined => operandsOf(expression, 'select');

/** Factors beside a selection with a 0 branch move inside, so that 0 never meets an infinity. */
function enterSelection(product: Product): Expression | undefined {
  for (const [factor, power] of product.factors) {
    const [a, b, then, otherwise] = selection(factor) ?? [];
    if (a === undefined || b === undefined || then === undefined || otherwise === undefined) continue;
    if (power !== 1 || (then.value !== 0 && otherwise.value !== 0)) continue;
    const factors = new Map(product.factors);
    factors.delete(factor);
    const rest = fromProduct({ ...product, factors });
    const inside = (branch: Expression): Expression => (branch.value === 0 ? branch : simplify(rest.mul(branch)));
    return simplify(a.whereLess(b, inside(then), inside(otherwise)));
  }
  return undefined;
}

/** Terms that select on the same condition become one selection of sums. */
function mergeSelections(sum: Sum): Expression | undefined {
  const terms = [...sum.terms].filter(([term]) => selection(term) !== undefined);
  for (const [i, [first, weight]] of terms.entries()) {
    const [a, b, then, otherwise] = first.operands;
    const same = terms.slice(i + 1).find(([other]) => other.operands[0] === a && other.operands[1] === b);
    if (same === undefined || a === undefined || b === undefined) continue;
    const [second, otherWeight] = same;
    const branch = (mine: Expression | undefined, other: Expression | undefined): Expression =>
      constant(weight)
        .mul(mine ?? 0)
        .add(constant(otherWeight).mul(other ?? 0));
    sum.terms.delete(first);
    sum.terms.delete(second);
    return a.whereLess(b, branch(then, second.operands[2]), branch(otherwise, second.operands[3]));
  }
  return undefined;
}

/** A factor that is the same for the whole row leaves the sum; only constants are known to be. */
function simplifyReduction(expression: Expression): Expression {
  const term = summand(expression);
  if (term === undefined) return expression;
  const { coefficient, divisor, factors } = toProduct(term);
  if (coefficient === 0) return constant(0);
  if ((coefficient === 1 && divisor === 1) || factors.size === 0) return expression;
  const rest = fromProduct({ coefficient: 1, divisor: 1, factors }).sum();
  return simplify(constant(coefficient).mul(rest).div(divisor));
}

/** By products or of the absolute value: lanes compute a power by the logarithm, which a negative base has not. */
function wholeExponent(x: Expression, exponent: number): Expression | undefined {
  if (Math.abs(exponent) <= longestPower) return integerPower(x, exponent);
  if (operandsOf(x, 'abs') !== undefined) return undefined;
  if (exponent % 2 === 0) return x.abs().pow(exponent);
  // As a product, an odd negative power would be 0 times infinity at 0.
  return exponent < 0 ? constant(1).div(x.mul(x.abs().pow(-exponent - 1))) : x.mul(x.abs().pow(exponent - 1));
}

type Rule = (expression: Expression, operands: readonly Expression[]) => Expression | undefined;

const rules: Partial<Record<Primitive, Rule>> = {
  add: simplifySum,
  sub: simplifySum,
  neg: (expression, [x]) =>
    x?.node.kind === 'apply' && /^(add|sub)$/.test(x.node.primitive)
      ? simplifySum(expression)
      : simplifyProduct(expression),
  mul: simplifyProduct,
  div: simplifyProduct,
  select: (_, [a, b, then, otherwise]) => {
    if (then === otherwise) return then;
    if (a === undefined || b === undefined || then === undefined || otherwise === undefined) return undefined;
    if (a.value !== undefined && b.value !== undefined) return a.value < b.value ? then : otherwise;
    const plain = plainCondition({ left: a, right: b });
    if (plain === false) return otherwise;
    if (plain !== undefined) return simplify(plain.left.whereLess(plain.right, then, otherwise));
    const sameCondition = (branch: Expression): readonly Expression[] | undefined => {
      const operands = selection(branch);
      return operands?.[0] === a && operands[1] === b ? operands : undefined;
    };
    const inner = sameCondition(then)?.[2] ?? then;
    const outer = sameCondition(otherwise)?.[3] ?? otherwise;
    return inner === then && outer === otherwise ? undefined : simplify(a.whereLess(b, inner, outer));
  },
  pow: (_, [x, y]) => {
    const exponent = y?.value;
    if (x === undefined || exponent === undefined) return undefined;
    if (exponent === 0.5) return x.sqrt();
    const power = Number.isInteger(exponent) ? wholeExponent(x, exponent) : undefined;
    return power === undefined ? undefined : simplify(power);
  },
};
