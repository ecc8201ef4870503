import { rowBuiltins } from '../../kernels/kernel.js';
import { runsAlong } from '../../scalar/differentiate.js';
import { type Expression, reachable, transform, variable, withOperands } from '../../scalar/expression.js';
import { inside, operandsOf, summand } from '../../scalar/match.js';

/** |position - target| < bound, with one target for the row and a bound of at most 1/2: it holds at one position or none. */
export interface Pick {
  readonly distance: Expression;
  readonly target: Expression;
  readonly bound: number;
}

/** A value at the position, and another one elsewhere. */
export interface Selection {
  readonly pick: Pick;
  readonly then: Expression;
  readonly otherwise: Expression;
}

const position = variable(rowBuiltins.position);

/** What an expression selects at the position that a target names, and elsewhere. */
function selectionOf(expression: Expression, along: ReadonlySet<string>): Selection | undefined {
  const [distance, bound, then, otherwise] = operandsOf(expression, 'select') ?? [];
  const [a, b] = operandsOf(inside(distance, 'abs'), 'sub') ?? [];
  const target = a === position ? b : b === position ? a : undefined;
  if (distance === undefined || then === undefined || otherwise === undefined || target === undefined) return undefined;
  const isOne = bound?.value !== undefined && bound.value <= 0.5 && !runsAlong(target, along);
  return isOne ? { pick: { distance, target, bound: bound.value }, then, otherwise } : undefined;
}

/** A sum that has one term: what stands at the target. */
export function pickedSum(reduction: Expression, along: ReadonlySet<string>): Selection | undefined {
  const term = summand(reduction);
  const selection = term && selectionOf(term, along);
  return selection?.otherwise.value === 0 ? selection : undefined;
}

/** The one pick that the expressions select by outside of reductions, where it is one. */
export function pickIn(roots: readonly Expression[], along: ReadonlySet<string>): Pick | undefined {
  const picks = outsideOfReductions(roots).flatMap((expression) => selectionOf(expression, along)?.pick ?? []);
  const [first] = picks;
  return picks.every(({ distance, bound }) => distance === first?.distance && bound === first.bound)
    ? first
    : undefined;
}

/** The expression at the target, or elsewhere; reductions stay those of the whole row. */
export const chosen = (root: Expression, pick: Pick, isAtTarget: boolean): Expression => {
  const kept = reachable([root]).filter(({ node }) => node.kind === 'reduce');
  return transform(
    root,
    (expression, operands) => {
      const [distance, bound, then, otherwise] = operandsOf(expression, 'select') === undefined ? [] : operands;
      if (distance !== pick.distance || bound?.value !== pick.bound) return withoutZero(expression, operands);
      return (isAtTarget ? then : otherwise) ?? expression;
    },
    new Map(kept.map((reduction) => [reduction, reduction])),
  );
};

/** Nothing taken away where nothing is selected. */
function withoutZero(expression: Expression, operands: readonly Expression[]): Expression {
  const [a, b] = operands;
  const isSame = operandsOf(expression, 'sub') !== undefined && b?.value === 0;
  return isSame && a !== undefined ? a : withOperands(expression, operands);
}

function outsideOfReductions(roots: readonly Expression[]): Expression[] {
  const found = new Set<Expression>();
  const visit = (expression: Expression): void => {
    if (found.has(expression)) return;
    found.add(expression);
    if (expression.node.kind === 'apply') for (const operand of expression.operands) visit(operand);
  };
  for (const root of roots) visit(root);
  return [...found];
}
