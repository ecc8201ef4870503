/**
 * The accurate form of row expressions built on a softmax. With w = exp(x - maximum(x)), the sum of w is 1 at the row's
 * maximum plus a rest that can be tiny; `h - w sum(h) / sum(w)` and `w / sum(w) - 1` are what cancels when the maximum
 * holds nearly everything. All are taken apart at the maximum, where the large parts cancel exactly.
 *
 * These are identities by value, to be applied when a kernel is made: differentiate before, not after, since
 * `maximum` has no derivative.
 */
import { type Expression, reachable, transform, withOperands } from './expression.js';
import { inside, operandsOf, summand } from './match.js';
import { leaveSum } from './row-factors.js';
import { fromProduct, fromSum, multiple, type Product, sameFactors, toProduct, toSum } from './sums.js';

/** The weights w = exp(c (x - maximum(x))), c > 0, of a row whose sum is `total`. */
interface Weights {
  readonly weight: Expression;
  readonly total: Expression;
  readonly x: Expression;
  readonly maximum: Expression;
}

/**
 * Rewrites a simplified row expression; `elementVariables` are the variables that run along the row.
 * Simplified once more, the result would lose the order of its sums.
 */
export function stabilizeRows(expression: Expression, elementVariables: ReadonlySet<string>): Expression {
  const tails = new Set<Expression>();
  return transform(expression, (node, operands) => {
    const current = withOperands(node, operands);
    if (current.node.kind === 'reduce') return leaveSum(current, elementVariables);
    const argument = inside(current, 'log');
    if (argument !== undefined) return logarithmOfTotal(argument, tails) ?? current;
    if (operandsOf(current, 'add') === undefined && operandsOf(current, 'sub') === undefined) return current;
    return weightedDifference(current) ?? tailsLast(current, tails) ?? current;
  });
}

/** The weights whose sum this is. */
function weightsOf(total: Expression): Weights | undefined {
  const weight = summand(total);
  const exponent = inside(weight, 'exp');
  if (weight === undefined || exponent === undefined) return undefined;
  const maximum = reachable([exponent]).find(({ node }) => node.kind === 'reduce' && node.reduction === 'maximum');
  const x = maximum?.operands[0];
  if (maximum === undefined || x === undefined) return undefined;
  const { coefficient, divisor, factors } = toProduct(exponent);
  const [[factor, power] = []] = factors;
  const isMultiple = factors.size === 1 && power === 1;
  const shifted = isMultiple && factor !== undefined ? factor : exponent;
  const count = -(toSum(shifted).terms.get(maximum) ?? 0);
  const scale = count * (isMultiple ? coefficient / divisor : 1);
  const { constant: offset, terms } = toSum(shifted.sub(x.sub(maximum).mul(count)));
  return scale > 0 && offset === 0 && terms.size === 0 ? { weight, total, x, maximum } : undefined;
}

const atMaximum = ({ x, maximum }: Weights, a: Expression | number): Expression => x.whereLess(maximum, 0, a).sum();
const elsewhere = ({ x, maximum }: Weights, a: Expression): Expression => x.whereLess(maximum, a, 0).sum();
/** The two parts of the total. */
const tiesOf = (weights: Weights): Expression => atMaximum(weights, 1);
const restOf = (weights: Weights): Expression => elsewhere(weights, weights.weight);

/** A product of factors with the total in its two parts, which are computed anyway. */
function scaled(coefficient: number, factors: ReadonlyMap<Expression, number>, weights?: Weights): Expression {
  const power = weights === undefined ? 0 : (factors.get(weights.total) ?? 0);
  const split =
    weights === undefined || power === 0
      ? new Map(factors)
      : times(times(factors, weights.total, -power), tiesOf(weights).add(restOf(weights)), power);
  return fromProduct({ coefficient, divisor: 1, factors: split });
}

/** log(total) = log(ties) + log1p(rest / ties); the second term, which may be tiny, joins the `tails`. */
function logarithmOfTotal(total: Expression, tails: Set<Expression>): Expression | undefined {
  const weights = weightsOf(total);
  if (weights === undefined) return undefined;
  const tail = restOf(weights).div(tiesOf(weights)).log1p();
  tails.add(tail);
  return tiesOf(weights).log().add(tail);
}

/** The large terms of a sum cancel exactly, as x - maximum(x) does, if the tiny ones come after them. */
function tailsLast(expression: Expression, tails: ReadonlySet<Expression>): Expression | undefined {
  const sum = toSum(expression);
  const last = [...sum.terms].filter(([term]) => tails.has(term));
  if (last.length === 0) return undefined;
  for (const [term] of last) sum.terms.delete(term);
  return last.reduce(
    (rest, [term, count]) => (count < 0 ? rest.sub(multiple(-count, term)) : rest.add(multiple(count, term))),
    fromSum(sum),
  );
}

/** One term of a sum, with its coefficient in the sum. */
interface Term extends Product {
  readonly key: Expression;
  readonly times: number;
}

function termOf([key, weight]: readonly [Expression, number]): Term {
  const product = toProduct(key);
  return { key, times: (weight * product.coefficient) / product.divisor, ...product };
}

/** Two terms of a sum, and what equals them together. */
interface Pair {
  readonly used: readonly [Term, Term];
  readonly made: Expression;
}

function weightedDifference(expression: Expression): Expression | undefined {
  const sum = toSum(expression);
  const terms = [...sum.terms].map(termOf);
  for (const term of terms) {
    for (const [total, power] of term.factors) {
      const weights = power < 0 ? weightsOf(total) : undefined;
      const pair = weights && (splitAtMaximum(weights, term, terms) ?? splitSelection(weights, term, terms));
      if (pair === undefined) continue;
      for (const { key } of pair.used) sum.terms.delete(key);
      if (sum.terms.size === 0 && sum.constant === 0) return pair.made;
      const others = fromSum(sum);
      return (weightedDifference(others) ?? others).add(pair.made);
    }
  }
  return undefined;
}

/** `times q (u - v sum(p) / total)` with v u' = w u, as q / total times (u total - v sum(p)), split at the maximum. */
function splitAtMaximum(weights: Weights, term: Term, terms: readonly Term[]): Pair | undefined {
  const { weight, total } = weights;
  for (const [summed, power] of term.factors) {
    const element = power === 1 ? summand(summed) : undefined;
    if (element === undefined) continue;
    const p = toProduct(element);
    const rest = times(times(term.factors, summed, -1), total, 1);
    const shapes = [
      { v: (a: Expression) => weight.mul(a), q: times(rest, weight, -1), u: p.factors },
      { v: (a: Expression) => a, q: rest, u: times(p.factors, weight, -1) },
    ];
    for (const { v, q, u } of shapes) {
      if ([...q, ...u].some(([factor, count]) => factor === weight && count < 0)) continue;
      const wanted = [...u].reduce((factors, [factor, count]) => times(factors, factor, count), q);
      const partner = terms.find(
        (other) => sameFactors(other.factors, wanted) && other.times === (-term.times * p.coefficient) / p.divisor,
      );
      if (partner === undefined) continue;
      const [own, all] = [scaled(1, u), scaled(1, p.factors)];
      const large = tiesOf(weights)
        .mul(own)
        .sub(v(atMaximum(weights, all)));
      const small = own.mul(restOf(weights)).sub(v(elsewhere(weights, all)));
      return {
        used: [term, partner],
        made: scaled(partner.times, times(q, total, -1), weights).mul(large.add(small)),
      };
    }
  }
  return undefined;
}

/** q (w / total - [c]), the gradient of a cross-entropy, as q / total times (w - [c] total), split at the maximum. */
function splitSelection(weights: Weights, term: Term, terms: readonly Term[]): Pair | undefined {
  const { weight, total } = weights;
  if (term.factors.get(weight) !== 1) return undefined;
  const q = times(term.factors, weight, -1);
  const wanted = times(q, total, 1);
  for (const other of terms) {
    const [a, b, then, otherwise] = operandsOf(other.key, 'select') ?? [];
    const [chosen, skipped] = then?.value === 0 ? [otherwise, then] : [then, otherwise];
    if (a === undefined || b === undefined || chosen === undefined || skipped?.value !== 0) continue;
    const { factors, coefficient, divisor } = toProduct(chosen);
    if (!sameFactors(factors, wanted) || (other.times * coefficient) / divisor !== -term.times) continue;
    const where = (value: Expression): Expression =>
      chosen === then ? a.whereLess(b, value, 0) : a.whereLess(b, 0, value);
    const large = weight.sub(where(tiesOf(weights)));
    return { used: [term, other], made: scaled(term.times, q, weights).mul(large.sub(where(restOf(weights)))) };
  }
  return undefined;
}

function times(factors: ReadonlyMap<Expression, number>, factor: Expression, count: number): Map<Expression, number> {
  const result = new Map(factors);
  const power = (result.get(factor) ?? 0) + count;
  if (power === 0) result.delete(factor);
  else result.set(factor, power);
  return result;
}
