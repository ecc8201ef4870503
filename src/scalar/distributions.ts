/**
 * u F(u) for a distribution F of density f, and its derivative F(u) + u f(u), whose terms cancel beside its root, as functions
 * that float32 lanes have expansions for. For lanes alone: a person reads products and sums.
 */
import { apply, type Expression, transform, withOperands } from './expression.js';
import { inside, operandsOf } from './match.js';
import { fromProduct, fromSum, type Sum, sameFactors, toProduct, toSum } from './sums.js';

const kinds = [
  { distribution: 'normalCdf', density: 'normalPdf', slope: 'geluSlope' },
  { distribution: 'sigmoid', density: 'logisticPdf', slope: 'siluSlope' },
] as const;

/** The same with such products and sums as functions of their own. */
export const joinDistributions = (expression: Expression): Expression =>
  transform(expression, (node, operands) => {
    const current = withOperands(node, operands);
    if (operandsOf(current, 'add') !== undefined) return joined(toSum(current)) ?? current;
    const [a, b] = operandsOf(current, 'mul') ?? [];
    return a !== undefined && a === inside(b, 'normalCdf') ? apply('geluValue', a) : current;
  });

function joined(sum: Sum): Expression | undefined {
  for (const [term, coefficient] of sum.terms) {
    for (const { distribution, density, slope } of kinds) {
      const product = toProduct(term);
      const factor = [...product.factors.keys()].find((candidate) => inside(candidate, distribution) !== undefined);
      const u = inside(factor, distribution);
      if (factor === undefined || u === undefined || product.factors.get(factor) !== 1) continue;
      product.factors.delete(factor);
      const other = partner(sum, fromProduct(product).mul(coefficient).mul(u).mul(apply(density, u)));
      if (other === undefined) continue;
      sum.terms.delete(term);
      sum.terms.delete(other);
      product.factors.set(apply(slope, u), 1);
      return fromSum({ ...sum, terms: sum.terms.set(fromProduct(product), coefficient) });
    }
  }
  return undefined;
}

/** The term of the sum that equals the product. */
function partner(sum: Sum, wanted: Expression): Expression | undefined {
  const { coefficient, divisor, factors } = toProduct(wanted);
  return [...sum.terms.keys()].find((term) => {
    const product = toProduct(term);
    const weight = ((sum.terms.get(term) ?? 0) * product.coefficient) / product.divisor;
    return weight === coefficient / divisor && sameFactors(product.factors, factors);
  });
}
