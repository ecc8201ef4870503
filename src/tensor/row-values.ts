/** Rewrites of row expressions that keep work with one value for the row out of the loop over its elements. */
import { extents } from '../scalar/differentiate.js';
import { type Expression, reachable, transform, variable, withOperands } from '../scalar/expression.js';
import { fromProduct, type Product, toProduct } from '../scalar/sums.js';

/**
 * Collects the factors of each product that have one value for the row, and takes them out of sums:
 * sum(g x / s) becomes (1 / s) sum(g x).
 */
export function groupRowFactors(root: Expression, elementNames: ReadonlySet<string>): Expression {
  const running = new Map<Expression, boolean>();
  const runs = (expression: Expression): boolean => {
    const known = running.get(expression);
    if (known !== undefined) return known;
    const { node } = expression;
    const result =
      node.kind === 'variable' ? elementNames.has(node.name) : node.kind === 'apply' && node.operands.some(runs);
    running.set(expression, result);
    return result;
  };
  return transform(root, (expression, operands) => {
    const rebuilt = withOperands(expression, operands);
    const { node } = rebuilt;
    const isSum = node.kind === 'reduce' && node.reduction === 'sum';
    if (!isSum && !(node.kind === 'apply' && /^(mul|div|neg)$/.test(node.primitive))) return rebuilt;
    const product = toProduct(node.kind === 'reduce' ? node.operands[0] : rebuilt);
    const parts = split(product, runs);
    if (parts === undefined) return rebuilt;
    return parts.row.mul(isSum ? parts.element.sum() : parts.element);
  });
}

/** The two kinds of factors of a product, where it has both. */
function split(
  product: Product,
  runs: (expression: Expression) => boolean,
): { readonly row: Expression; readonly element: Expression } | undefined {
  const element = new Map([...product.factors].filter(([factor]) => runs(factor)));
  const row = new Map([...product.factors].filter(([factor]) => !runs(factor)));
  if (element.size === 0 || row.size === 0) return undefined;
  return {
    row: fromProduct({ ...product, factors: row }),
    element: fromProduct({ coefficient: 1, divisor: 1, factors: element }),
  };
}

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
