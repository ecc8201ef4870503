/** Factors that have one value for a whole row, taken out of sums along it and out of the loop over its elements. */
import { runsAlong } from './differentiate.js';
import { type Expression, transform, withOperands } from './expression.js';
import { summand } from './match.js';
import { fromProduct, toProduct } from './sums.js';

/**
 * Collects the factors of each product that have one value for the row, and takes them out of sums:
 * sum(g x / s) becomes (1 / s) sum(g x).
 */
export function groupRowFactors(root: Expression, elementVariables: ReadonlySet<string>): Expression {
  return transform(root, (expression, operands) => {
    const rebuilt = withOperands(expression, operands);
    const { node } = rebuilt;
    if (node.kind === 'reduce') return leaveSum(rebuilt, elementVariables);
    if (node.kind !== 'apply' || !/^(mul|div|neg)$/.test(node.primitive)) return rebuilt;
    const parts = split(rebuilt, elementVariables);
    return parts === undefined ? rebuilt : parts.row.mul(parts.element);
  });
}

/** sum(r a) = r sum(a) for factors r that are the same along the row: one pass fewer when r is itself a sum. */
export function leaveSum(expression: Expression, elementVariables: ReadonlySet<string>): Expression {
  const term = summand(expression);
  const parts = term && split(term, elementVariables);
  return parts === undefined ? expression : parts.row.mul(parts.element.sum());
}

/** The two kinds of factors of a product, where it has both; constants go with the row's. */
function split(
  expression: Expression,
  elementVariables: ReadonlySet<string>,
): { readonly row: Expression; readonly element: Expression } | undefined {
  const { coefficient, divisor, factors } = toProduct(expression);
  const element = new Map([...factors].filter(([factor]) => runsAlong(factor, elementVariables)));
  const row = new Map([...factors].filter(([factor]) => !runsAlong(factor, elementVariables)));
  if (element.size === 0 || row.size === 0) return undefined;
  return {
    row: fromProduct({ coefficient, divisor, factors: row }),
    element: fromProduct({ coefficient: 1, divisor: 1, factors: element }),
  };
}
