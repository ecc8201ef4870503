import { type Expression, reachable } from '../scalar/expression.js';

/** Reductions in groups, each of which needs only groups before it. */
export function reductionLevels(outputs: readonly Expression[]): Expression[][] {
  const depth = new Map<Expression, number>();
  const levels: Expression[][] = [];
  for (const expression of reachable(outputs)) {
    const inner = Math.max(0, ...expression.operands.map((operand) => depth.get(operand) ?? 0));
    const isReduction = expression.node.kind === 'reduce';
    depth.set(expression, inner + (isReduction ? 1 : 0));
    if (!isReduction) continue;
    levels[inner] ??= [];
    levels[inner].push(expression);
  }
  return levels;
}
