import { constant, type Expression, fact, reachable, toExpression, variable } from './expression.js';
import { primitives } from './primitives.js';
import { simplify } from './simplify.js';

/** Where a value lives: one for each element of a row, or one for the whole row. */
export type Extent = 'element' | 'row';

/** The variables that an expression depends on outside of reductions. */
const freeVariables = fact<ReadonlySet<string>>(({ node }, operands) => {
  if (node.kind === 'variable') return new Set([node.name]);
  return new Set(node.kind === 'apply' ? operands.flatMap((names) => [...names]) : []);
});

/** Whether an expression has a value for each element of a row, given which variables have. */
export const runsAlong = (expression: Expression, elementVariables: ReadonlySet<string>): boolean =>
  [...freeVariables(expression)].some((name) => elementVariables.has(name));

/** The extent of every expression, given which variables run along the row. */
export const extents = (
  roots: readonly Expression[],
  elementVariables: ReadonlySet<string>,
): ReadonlyMap<Expression, Extent> =>
  new Map(reachable(roots).map((one) => [one, runsAlong(one, elementVariables) ? 'element' : 'row']));

export interface Seed {
  readonly output: Expression;
  /** The gradient of the loss with respect to the output. */
  readonly cotangent: Expression | number;
}

/**
 * The gradient of the seeded outputs with respect to variables, by reverse accumulation over the expression graph.
 * With `elementVariables`, expressions are row expressions: an operand shared by a whole row collects the sum
 * over its elements. Results are simplified.
 */
export function gradient(
  outputs: readonly Seed[],
  variables: readonly string[],
  elementVariables: ReadonlySet<string> = new Set(),
): Expression[] {
  // Stable forms first: the derivative of one that cancels cancels too.
  const seeds = outputs.map(({ output, cotangent }) => ({ output: simplify(output), cotangent }));
  const order = reachable(seeds.map((seed) => seed.output));
  const extent = extents(order, elementVariables);
  const adjoints = new Map<Expression, Expression>();
  const contribute = (to: Expression, amount: Expression, from: Extent): void => {
    const crosses = from === 'element' && extent.get(to) === 'row';
    const share = crosses ? simplify(amount).sum() : amount;
    const sofar = adjoints.get(to);
    adjoints.set(to, sofar === undefined ? share : sofar.add(share));
  };
  for (const { output, cotangent } of seeds) contribute(output, toExpression(cotangent), extent.get(output) ?? 'row');

  for (const expression of order.reverse()) {
    const adjoint = adjoints.get(expression);
    if (adjoint === undefined) continue;
    const { node } = expression;
    if (node.kind === 'reduce' && node.reduction === 'sum') contribute(node.operands[0], adjoint, 'row');
    if (node.kind !== 'apply') continue;
    const partials = primitives[node.primitive].derivative(node.operands, expression);
    node.operands.forEach((operand, i) => {
      const partial = partials[i] ?? 0;
      if (partial !== 0 && operand.value === undefined) {
        contribute(operand, simplify(adjoint.mul(partial)), extent.get(expression) ?? 'row');
      }
    });
  }
  return variables.map((name) => simplify(adjoints.get(variable(name)) ?? constant(0)));
}

/** The derivative of a scalar expression with respect to one variable. */
export function derivative(expression: Expression, name: string): Expression {
  return gradient([{ output: expression, cotangent: 1 }], [name])[0] ?? constant(0);
}
