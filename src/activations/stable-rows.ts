/**
 * The accurate form of row expressions built on a softmax. With w = exp(x - maximum(x)), the sum of w is 1 at the row's
 * maximum plus a rest that can be tiny, and `h - w sum(h) / sum(w)` is what cancels when the maximum holds nearly
 * everything. Both are taken apart at the maximum, where the large parts cancel exactly.
 *
 * These are identities by value, to be applied when a kernel is made: differentiate before, not after, since
 * `maximum` has no derivative.
 */
import { constant, type Expression, reachable, transform, withOperands } from '../scalar/expression.js';
import { simplify } from '../scalar/simplify.js';
import { fromProduct, fromSum, type Product, type Sum, toProduct, toSum } from '../scalar/sums.js';

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
  return transform(expression, (node, operands) => {
    const current = withOperands(node, operands);
    if (current.node.kind === 'reduce') return leaveSum(current, elementVariables);
    if (current.node.kind !== 'apply') return current;
    const { primitive } = current.node;
    if (primitive === 'log') return logarithmOfTotal(current) ?? current;
    return primitive === 'add' || primitive === 'sub' ? (weightedDifference(current) ?? current) : current;
  });
}

/** sum(r a) = r sum(a) for factors r that are the same along the row: one pass fewer when r is itself a sum. */
function leaveSum(expression: Expression, elementVariables: ReadonlySet<string>): Expression {
  const { node } = expression;
  if (node.kind !== 'reduce' || node.reduction !== 'sum') return expression;
  const { coefficient, divisor, factors } = toProduct(node.operands[0]);
  const along = [...factors].filter(([factor]) => runsAlong(factor, elementVariables));
  if (along.length === factors.size && coefficient === 1 && divisor === 1) return expression;
  if (along.length === 0) return expression;
  const inner = fromProduct({ coefficient: 1, divisor: 1, factors: new Map(along) });
  const outer = new Map([...factors].filter(([factor]) => !runsAlong(factor, elementVariables)));
  outer.set(inner.sum(), 1);
  return fromProduct({ coefficient, divisor, factors: outer });
}

function runsAlong(expression: Expression, elementVariables: ReadonlySet<string>): boolean {
  const { node } = expression;
  if (node.kind === 'variable') return elementVariables.has(node.name);
  return node.kind === 'apply' && node.operands.some((operand) => runsAlong(operand, elementVariables));
}

/** The weights whose sum this is. */
function weightsOf(total: Expression): Weights | undefined {
  if (total.node.kind !== 'reduce' || total.node.reduction !== 'sum') return undefined;
  const [weight] = total.node.operands;
  if (weight.node.kind !== 'apply' || weight.node.primitive !== 'exp') return undefined;
  const [exponent = constant(0)] = weight.operands;
  const maximum = reachable([exponent]).find(({ node }) => node.kind === 'reduce' && node.reduction === 'maximum');
  const x = maximum?.operands[0];
  if (maximum === undefined || x === undefined) return undefined;
  const { coefficient, divisor, factors } = toProduct(exponent);
  const { constant: offset, terms } =
    factors.size === 1 ? toSum(fromProduct({ coefficient: 1, divisor: 1, factors })) : toSum(exponent);
  const scale = (factors.size === 1 ? coefficient / divisor : 1) * (terms.get(x) ?? 0);
  const shifted = offset === 0 && terms.size === 2 && terms.get(x) === -(terms.get(maximum) ?? 0);
  return shifted && scale > 0 ? { weight, total, x, maximum } : undefined;
}

const atMaximum = ({ x, maximum }: Weights, a: Expression | number): Expression => x.whereLess(maximum, 0, a).sum();
const elsewhere = ({ x, maximum }: Weights, a: Expression): Expression => x.whereLess(maximum, a, 0).sum();

/** log(total) = log(ties) + log1p(rest / ties). */
function logarithmOfTotal(expression: Expression): Expression | undefined {
  const weights = expression.operands[0] === undefined ? undefined : weightsOf(expression.operands[0]);
  if (weights === undefined) return undefined;
  const ties = atMaximum(weights, 1);
  return ties.log().add(elsewhere(weights, weights.weight).div(ties).log1p());
}

/** One term of a sum, with its coefficient in the sum. */
interface Term extends Product {
  readonly key: Expression;
  readonly times: number;
}

function weightedDifference(expression: Expression): Expression | undefined {
  const sum = toSum(expression);
  const terms = [...sum.terms].map(([key, weight]): Term => {
    const product = toProduct(key);
    return { key, times: (weight * product.coefficient) / product.divisor, ...product };
  });
  for (const term of terms) {
    for (const [total, power] of term.factors) {
      const weights = power < 0 ? weightsOf(total) : undefined;
      const made = weights === undefined ? undefined : splitAtMaximum(weights, term, terms, sum);
      if (made !== undefined) return made;
    }
  }
  return undefined;
}

/** `times q (u - v sum(p) / total)` with v u' = w u, as q / total times (u total - v sum(p)), split at the maximum. */
function splitAtMaximum(weights: Weights, term: Term, terms: readonly Term[], sum: Sum): Expression | undefined {
  for (const [summed, power] of term.factors) {
    if (power !== 1 || summed.node.kind !== 'reduce' || summed.node.reduction !== 'sum') continue;
    const p = toProduct(summed.node.operands[0]);
    const rest = times(times(term.factors, summed, -1), weights.total, 1);
    const shapes = [
      { v: weights.weight, q: times(rest, weights.weight, -1), u: p.factors },
      { v: constant(1), q: rest, u: times(p.factors, weights.weight, -1) },
    ];
    for (const { v, q, u } of shapes) {
      if ([...q, ...u].some(([factor, count]) => factor === weights.weight && count < 0)) continue;
      const wanted = [...u].reduce((factors, [factor, count]) => times(factors, factor, count), q);
      const partner = terms.find(
        (other) => sameFactors(other.factors, wanted) && other.times === (-term.times * p.coefficient) / p.divisor,
      );
      if (partner === undefined) continue;
      sum.terms.delete(term.key);
      sum.terms.delete(partner.key);
      const own = fromProduct({ coefficient: 1, divisor: 1, factors: u });
      const all = fromProduct({ coefficient: 1, divisor: 1, factors: p.factors });
      const large = atMaximum(weights, 1)
        .mul(own)
        .sub(v.mul(atMaximum(weights, all)));
      const small = own.mul(elsewhere(weights, weights.weight)).sub(v.mul(elsewhere(weights, all)));
      const factor = fromProduct({ coefficient: partner.times, divisor: 1, factors: times(q, weights.total, -1) });
      const made = factor.mul(large.add(small));
      return sum.terms.size === 0 && sum.constant === 0 ? made : simplify(fromSum(sum)).add(made);
    }
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

const sameFactors = (a: ReadonlyMap<Expression, number>, b: ReadonlyMap<Expression, number>): boolean =>
  a.size === b.size && [...a].every(([factor, power]) => b.get(factor) === power);
