import { constant, type Expression } from './expression.js';

/** A sum as constant + coefficient * term + ...; terms in order of appearance. */
export interface Sum {
  constant: number;
  readonly terms: Map<Expression, number>;
}

const count = (counts: Map<Expression, number>, key: Expression, by: number): Map<Expression, number> =>
  counts.set(key, (counts.get(key) ?? 0) + by);

/** Collects like terms of an expression that is a sum, a difference, a negation or a multiple. */
export function toSum(expression: Expression): Sum {
  const sum: Sum = { constant: 0, terms: new Map() };
  collect(sum, expression, 1);
  for (const [term, coefficient] of sum.terms) if (coefficient === 0) sum.terms.delete(term);
  return sum;
}

function collect(sum: Sum, expression: Expression, times: number): void {
  const { node } = expression;
  const [a, b] = expression.operands;
  if (node.kind === 'constant') sum.constant += times * node.value;
  else if (node.kind === 'apply' && a !== undefined) {
    const isSum = node.primitive === 'add' || node.primitive === 'sub';
    const isProduct = node.primitive === 'mul' && b !== undefined;
    if (node.primitive === 'neg') collect(sum, a, -times);
    else if (isProduct && a.value !== undefined) collect(sum, b, times * a.value);
    else if (isProduct && b.value !== undefined) collect(sum, a, times * b.value);
    else if (isSum) collect(sum, a, times);
    else count(sum.terms, expression, times);
    if (isSum && b !== undefined) collect(sum, b, node.primitive === 'add' ? times : -times);
  } else count(sum.terms, expression, times);
}

export const multiple = (coefficient: number, term: Expression): Expression =>
  coefficient === 1 ? term : constant(coefficient).mul(term);

export function fromSum(sum: Sum): Expression {
  const positive = [...sum.terms].filter(([, coefficient]) => coefficient > 0);
  const negative = [...sum.terms].filter(([, coefficient]) => !(coefficient > 0));
  let result: Expression | undefined;
  if (positive.length === 0 && sum.constant > 0) result = constant(sum.constant);
  for (const [term, coefficient] of positive) {
    const next = multiple(coefficient, term);
    result = result === undefined ? next : result.add(next);
  }
  for (const [term, coefficient] of negative) {
    const next = multiple(-coefficient, term);
    if (result === undefined) result = coefficient === -1 ? term.neg() : constant(coefficient).mul(term);
    else result = result.sub(next);
  }
  if (result === undefined) return constant(sum.constant);
  if (sum.constant === 0 || (positive.length === 0 && sum.constant > 0)) return result;
  return sum.constant > 0 ? result.add(sum.constant) : result.sub(-sum.constant);
}

/** A product as coefficient / divisor * factor^power * ...; factors in order of appearance. */
export interface Product {
  coefficient: number;
  /** Kept apart, since 1/6 rounds and division by 6 does so only once. */
  divisor: number;
  readonly factors: Map<Expression, number>;
}

export function toProduct(expression: Expression): Product {
  const product: Product = { coefficient: 1, divisor: 1, factors: new Map() };
  gather(product, expression, 1);
  for (const [factor, power] of product.factors) if (power === 0) product.factors.delete(factor);
  const quotient = product.coefficient / product.divisor;
  const exact = Number.isInteger(Math.log2(Math.abs(product.divisor))) || Number.isInteger(quotient);
  if (exact) Object.assign(product, { coefficient: quotient, divisor: 1 });
  return product;
}

function gather(product: Product, expression: Expression, power: number): void {
  const { node } = expression;
  const [a, b] = expression.operands;
  if (node.kind === 'constant' && power > 0) product.coefficient *= node.value ** power;
  else if (node.kind === 'constant') product.divisor *= node.value ** -power;
  else if (node.kind === 'apply' && node.primitive === 'neg' && a !== undefined) {
    if (power % 2 !== 0) product.coefficient *= -1;
    gather(product, a, power);
  } else if (node.kind === 'apply' && /^(mul|div)$/.test(node.primitive) && a !== undefined && b !== undefined) {
    // A square in one visit, else powers of powers would take as many as they have factors.
    const isSquare = node.primitive === 'mul' && a === b;
    gather(product, a, isSquare ? 2 * power : power);
    if (!isSquare) gather(product, b, node.primitive === 'mul' ? power : -power);
  } else count(product.factors, expression, power);
}

/** The largest exponent that products are written for. */
export const longestPower = 16;

/** A whole power by products, which hold for a negative base too. */
export const integerPower = (base: Expression, exponent: number): Expression =>
  exponent < 0 ? constant(1).div(wholePower(base, -exponent)) : wholePower(base, exponent);

/** As few products as squaring needs. */
function wholePower(base: Expression, exponent: number): Expression {
  if (exponent <= 1) return exponent === 1 ? base : constant(1);
  const half = wholePower(base, Math.floor(exponent / 2));
  const square = half.mul(half);
  return exponent % 2 === 0 ? square : square.mul(base);
}

export const sameFactors = (a: ReadonlyMap<Expression, number>, b: ReadonlyMap<Expression, number>): boolean =>
  a.size === b.size && [...a].every(([factor, power]) => b.get(factor) === power);

export function fromProduct({ coefficient, divisor, factors }: Product): Expression {
  if (coefficient === 0) return constant(0);
  const repeated = (sign: 1 | -1): Expression | undefined => {
    const all = [...factors].flatMap(([factor, power]) => {
      const times = Math.max(0, sign * power);
      return times > 3 ? [wholePower(factor, times)] : Array<Expression>(times).fill(factor);
    });
    return all.length === 0 ? undefined : all.reduce((left, right) => left.mul(right));
  };
  const numerator = repeated(1);
  const denominator = repeated(-1);
  const scaled =
    numerator === undefined
      ? constant(coefficient)
      : coefficient === 1
        ? numerator
        : coefficient === -1
          ? numerator.neg()
          : constant(coefficient).mul(numerator);
  const divided = divisor === 1 ? scaled : scaled.div(divisor);
  return denominator === undefined ? divided : divided.div(denominator);
}
