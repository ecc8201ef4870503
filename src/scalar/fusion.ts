import type { Expression } from './expression.js';

/** What is still to compute, operands first; the order depends on the expressions alone. */
export function pending(outputs: readonly Expression[], done: ReadonlyMap<Expression, unknown>): Expression[] {
  const found = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (done.has(expression) || found.has(expression)) return;
    for (const operand of expression.operands) visit(operand);
    found.add(expression);
  };
  for (const output of outputs) visit(output);
  return [...found];
}

/** a b + c, or c - a b. */
export interface Fused {
  readonly kind: 'madd' | 'nmadd';
  readonly product: Expression;
  readonly a: Expression;
  readonly b: Expression;
  readonly c: Expression;
}

/** Sums with a product that nothing else uses: one fused instruction instead of two. */
export function fusable(order: readonly Expression[], outputs: readonly Expression[]): Map<Expression, Fused> {
  const uses = new Map<Expression, number>();
  for (const operand of [...order.flatMap((expression) => expression.operands), ...outputs]) {
    uses.set(operand, (uses.get(operand) ?? 0) + 1);
  }
  const computed = new Set(order);
  const isFree = (expression: Expression): boolean =>
    expression.node.kind === 'apply' &&
    expression.node.primitive === 'mul' &&
    uses.get(expression) === 1 &&
    computed.has(expression);
  const fused = new Map<Expression, Fused>();
  for (const expression of order) {
    const { node } = expression;
    if (node.kind !== 'apply') continue;
    const [left, right] = node.operands;
    if (left === undefined || right === undefined) continue;
    const isSum = node.primitive === 'add';
    const product =
      isSum && isFree(left) ? left : (isSum || node.primitive === 'sub') && isFree(right) ? right : undefined;
    const [a, b] = product?.operands ?? [];
    if (product === undefined || a === undefined || b === undefined) continue;
    const c = product === left ? right : left;
    fused.set(expression, { kind: isSum ? 'madd' : 'nmadd', product, a, b, c });
  }
  return fused;
}
