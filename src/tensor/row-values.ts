/** What has one value for a row, kept out of the loop over its elements. */
import { extents } from '../scalar/differentiate.js';
import { type Expression, reachable, transform, variable, withOperands } from '../scalar/expression.js';

export interface Hoisted {
  readonly expressions: readonly Expression[];
  /** What the new variables stand for. */
  readonly names: ReadonlyMap<Expression, string>;
}

/**
 * Puts variables in place of the largest acceptable subexpressions that have one value for the row and need a
 * reduction.
 */
export function hoist(
  roots: readonly Expression[],
  elementNames: ReadonlySet<string>,
  nameOf: (position: number) => string,
  acceptable: (expression: Expression) => boolean,
): Hoisted {
  const extent = extents(roots, elementNames);
  const reduces = new Set<Expression>();
  const candidates = new Set<Expression>();
  for (const expression of reachable(roots)) {
    if (expression.node.kind === 'reduce' || expression.operands.some((operand) => reduces.has(operand)))
      reduces.add(expression);
    if (reduces.has(expression) && extent.get(expression) === 'row' && acceptable(expression))
      candidates.add(expression);
  }
  const names = new Map<Expression, string>();
  const visited = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (visited.has(expression)) return;
    visited.add(expression);
    if (candidates.has(expression)) names.set(expression, nameOf(names.size));
    else for (const operand of expression.operands) visit(operand);
  };
  for (const root of roots) visit(root);
  const done = new Map<Expression, Expression>();
  const replace = (expression: Expression, operands: readonly Expression[]): Expression => {
    const name = names.get(expression);
    return name === undefined ? withOperands(expression, operands) : variable(name);
  };
  return { expressions: roots.map((root) => transform(root, replace, done)), names };
}
