/** What an expression is made of, for rules that rewrite it. */
import type { Expression } from './expression.js';
import type { Primitive } from './primitives.js';

/** The operands of an application of `primitive`, if that is what the expression is. */
export function operandsOf(
  expression: Expression | undefined,
  primitive: Primitive,
): readonly Expression[] | undefined {
  const node = expression?.node;
  return node?.kind === 'apply' && node.primitive === primitive ? node.operands : undefined;
}

/** u where the expression is f(u) for a one-operand primitive f. */
export const inside = (expression: Expression | undefined, primitive: Primitive): Expression | undefined =>
  operandsOf(expression, primitive)?.[0];

/** a where the expression is the sum of a along a row. */
export const summand = ({ node }: Expression): Expression | undefined =>
  node.kind === 'reduce' && node.reduction === 'sum' ? node.operands[0] : undefined;
