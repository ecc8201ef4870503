/**
 * Rules that take the cancellation out of a formula as mathematicians write it: 1 + tanh(u) loses every digit of its
 * tail, 2 sigmoid(2u) none. Each rule is an identity over the reals; a test checks all of them by value.
 */
import { apply, constant, type Expression } from './expression.js';
import { inside, operandsOf } from './match.js';
import type { Primitive } from './primitives.js';
import { fromProduct, fromSum, type Product, type Sum, toProduct, toSum } from './sums.js';

const square = (x: Expression): Expression => x.mul(x);

/** c + k f(u) with c = k (`sum`) or c = -k (`difference`, as c (1 - f)). */
const withOne: Partial<
  Record<
    Primitive,
    { readonly sum?: (u: Expression) => Expression; readonly difference?: (u: Expression) => Expression }
  >
> = {
  tanh: { sum: (u) => u.mul(2).sigmoid().mul(2), difference: (u) => u.mul(-2).sigmoid().mul(2) },
  sigmoid: { difference: (u) => u.neg().sigmoid() },
  exp: { difference: (u) => u.expm1().neg() },
  expm1: { sum: (u) => u.exp() },
  normalCdf: { difference: (u) => u.neg().normalCdf() },
  erf: {
    sum: (u) => u.mul(Math.SQRT2).normalCdf().mul(2),
    difference: (u) => u.mul(-Math.SQRT2).normalCdf().mul(2),
  },
};

/** 1 - f(u)^2. */
const oneMinusSquare: Partial<Record<Primitive, (u: Expression) => Expression>> = {
  tanh: (u) => u.mul(2).logisticPdf().mul(4),
};

/** Rewrites pairs of terms in place; gives what to add to the rest, or undefined when no rule fits. */
export function stableSum(sum: Sum): Expression | undefined {
  for (const [term, coefficient] of sum.terms) {
    const replaced = pairWithConstant(sum, term, coefficient) ?? pairWithTerm(sum, term, coefficient);
    if (replaced !== undefined) return replaced;
  }
  return undefined;
}

function pairWithConstant(sum: Sum, term: Expression, coefficient: number): Expression | undefined {
  const c = sum.constant;
  if (c === 0 || Math.abs(c) !== Math.abs(coefficient) || term.node.kind !== 'apply') return undefined;
  const rule = withOne[term.node.primitive];
  const [u] = term.operands;
  const base = c === coefficient ? rule?.sum : rule?.difference;
  const squared = squareOf(term);
  const [inner] = squared?.operands ?? [];
  const squareRule =
    squared?.node.kind === 'apply' && c === -coefficient ? oneMinusSquare[squared.node.primitive] : undefined;
  const made =
    base !== undefined && u !== undefined ? base(u) : squareRule && inner !== undefined ? squareRule(inner) : undefined;
  if (made === undefined) return undefined;
  sum.terms.delete(term);
  sum.constant = 0;
  return made.mul(c);
}

function squareOf(expression: Expression): Expression | undefined {
  const operands = operandsOf(expression, 'mul');
  return operands !== undefined && operands[0] === operands[1] ? operands[0] : undefined;
}

function pairWithTerm(sum: Sum, term: Expression, coefficient: number): Expression | undefined {
  const u = inside(term, 'tanh');
  if (u !== undefined && sum.terms.get(u) === -coefficient) {
    sum.terms.delete(term);
    sum.terms.delete(u);
    return u.tanhResidual().mul(-coefficient);
  }
  return conjugate(sum, term, coefficient) ?? commonDenominator(sum, term, coefficient);
}

/** a / d + n / d^2 where a d + n has terms that cancel, as in the derivative of x / (1 + |x|). */
function commonDenominator(sum: Sum, term: Expression, coefficient: number): Expression | undefined {
  const { coefficient: a, divisor, factors } = toProduct(term);
  const [[d, power] = []] = factors;
  if (d === undefined || factors.size !== 1 || power !== -1) return undefined;
  for (const [other, weight] of sum.terms) {
    const product = toProduct(other);
    if (product.factors.get(d) !== -2 || product.divisor !== divisor) continue;
    product.divisor = 1;
    product.factors.delete(d);
    const numerator = toSum(d.mul(a * coefficient).add(fromProduct(product).mul(weight)));
    if (numerator.terms.size >= toSum(d).terms.size) continue;
    sum.terms.delete(term);
    sum.terms.delete(other);
    return fromSum(numerator).div(divisor).div(d.mul(d));
  }
  return undefined;
}

/** u + sqrt(u^2 + b), which cancels for u < 0. */
function conjugate(sum: Sum, root: Expression, coefficient: number): Expression | undefined {
  const radicand = inside(root, 'sqrt');
  if (radicand === undefined) return undefined;
  const { constant: b, terms } = toSum(radicand);
  const [[first, weight] = []] = terms;
  const u = first === undefined || terms.size !== 1 || weight !== 1 || b <= 0 ? undefined : squareOf(first);
  const other = u === undefined ? undefined : sum.terms.get(u);
  if (u === undefined || other === undefined || Math.abs(other) !== Math.abs(coefficient)) return undefined;
  const signed = other === coefficient ? u : u.neg();
  sum.terms.delete(root);
  sum.terms.delete(u);
  return apply('rootSum', signed, b).mul(coefficient);
}

/** Rewrites factors in place: x sign(x), 1 / (1 + exp(u)), exp(u) sigmoid(-u), sigmoid(u) sigmoid(-u). Gives whether it did. */
export function stableProduct(product: Product): boolean {
  for (const [factor, power] of product.factors) {
    const replacement =
      inverseOfOnePlusExp(factor, power) ??
      absolute(product, factor) ??
      logistic(product, factor) ??
      density(product, factor);
    if (replacement === undefined) continue;
    for (const used of replacement.used) take(product, used, power < 0 ? -1 : 1);
    const { made } = replacement;
    product.factors.set(made, (product.factors.get(made) ?? 0) + 1);
    return true;
  }
  return false;
}

interface Replacement {
  readonly used: readonly Expression[];
  readonly made: Expression;
}

function take(product: Product, factor: Expression, count: number): void {
  const left = (product.factors.get(factor) ?? 0) - count;
  if (left === 0) product.factors.delete(factor);
  else product.factors.set(factor, left);
}

function inverseOfOnePlusExp(factor: Expression, power: number): Replacement | undefined {
  if (power >= 0) return undefined;
  const { constant: c, terms } = toSum(factor);
  const [[term, coefficient] = []] = terms;
  const u = c === 1 && terms.size === 1 && coefficient === 1 ? inside(term, 'exp') : undefined;
  return u === undefined ? undefined : { used: [factor], made: negate(u).sigmoid() };
}

function absolute(product: Product, factor: Expression): Replacement | undefined {
  const x = inside(factor, 'signum');
  if (x === undefined || (product.factors.get(x) ?? 0) < 1 || (product.factors.get(factor) ?? 0) < 1) return undefined;
  return { used: [factor, x], made: x.abs() };
}

function logistic(product: Product, factor: Expression): Replacement | undefined {
  const u = inside(factor, 'exp');
  if (u === undefined || (product.factors.get(factor) ?? 0) < 1) return undefined;
  const complement = negate(u).sigmoid();
  return (product.factors.get(complement) ?? 0) < 1 ? undefined : { used: [factor, complement], made: u.sigmoid() };
}

function density(product: Product, factor: Expression): Replacement | undefined {
  const u = inside(factor, 'sigmoid');
  if (u === undefined || (product.factors.get(factor) ?? 0) < 1) return undefined;
  const complement = negate(u).sigmoid();
  return (product.factors.get(complement) ?? 0) < 1 ? undefined : { used: [factor, complement], made: u.logisticPdf() };
}

/** -u without a double negation, so that equal expressions stay one object. */
function negate(u: Expression): Expression {
  const inner = inside(u, 'neg');
  if (inner !== undefined) return inner;
  const { coefficient } = toProduct(u);
  const [a, b] = operandsOf(u, 'mul') ?? [];
  return coefficient < 0 && a?.value !== undefined && b !== undefined ? constant(-a.value).mul(b) : u.neg();
}

/** f(u) for one-operand functions of functions; undefined when no rule fits. */
export function stableCall(primitive: Primitive, u: Expression): Expression | undefined {
  return calls[primitive]?.(u);
}

const calls: Partial<Record<Primitive, (u: Expression) => Expression | undefined>> = {
  abs: (u) => {
    const { coefficient } = toProduct(u);
    return coefficient < 0 ? negate(u).abs() : undefined;
  },
  exp: (u) => inside(u, 'log'),
  log: (u) => {
    const logistic = inside(u, 'sigmoid');
    if (logistic !== undefined) return negate(logistic).softplus().neg();
    const { constant: c, terms } = toSum(u);
    const [[term, coefficient] = []] = terms;
    if (c === 1 && terms.size === 1 && term !== undefined) return term.mul(coefficient ?? 1).log1p();
    return inside(u, 'exp');
  },
  log1p: (u) => inside(u, 'exp')?.softplus(),
  tanh: (u) => {
    const v = inside(u, 'softplus');
    if (v === undefined) return undefined;
    const q = negate(v).sigmoid();
    return v.sigmoid().mul(q.add(1)).div(square(q).add(1));
  },
  sigmoid: (u) => {
    const [a, b] = operandsOf(u, 'mul') ?? [];
    const v = a?.value !== undefined && Math.abs(a.value) === 2 ? inside(b, 'softplus') : undefined;
    if (v === undefined || a?.value === undefined) return undefined;
    const q = square(negate(v).sigmoid());
    return (a.value > 0 ? constant(1) : q).div(q.add(1));
  },
};
