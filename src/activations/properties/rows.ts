import { randomKey, randomNormal } from '../../base/random.js';
import { type Expression, reachable, reductions } from '../../scalar/expression.js';
import { primitives } from '../../scalar/primitives.js';

export interface RowProperties {
  /** The outputs of a row sum to 1. */
  readonly sumsToOne: boolean;
  /** The same number added to every input changes nothing. */
  readonly shiftInvariant: boolean;
  /** Equal shifts in the order of the inputs give the same in the outputs: no position is special. */
  readonly permutationEquivariant: boolean;
  /** No output is below 0. */
  readonly nonNegative: boolean;
  /** The rows of standard normals, times 4, on which this was seen. */
  readonly rows: number;
}

const trials = 64;
const tolerance = 1e-9;

/** One row through a row expression, in float64: a list of equal length for each variable. */
export function evaluateRowExpression(
  expression: Expression,
  variables: Readonly<Record<string, readonly number[]>>,
): number[] {
  const length = Object.values(variables)[0]?.length ?? 0;
  const along = (at: (i: number) => number): number[] => Array.from({ length }, (_, i) => at(i));
  const values = new Map<Expression, readonly number[]>();
  for (const current of reachable([expression])) {
    const { node } = current;
    const operands = current.operands.map((operand) => values.get(operand) ?? []);
    let result: readonly number[];
    if (node.kind === 'constant') result = along(() => node.value);
    else if (node.kind === 'variable') result = variables[node.name] ?? along(() => Number.NaN);
    else if (node.kind === 'reduce') {
      const { combine, identity } = reductions[node.reduction];
      const { evaluate } = primitives[combine];
      const total = (operands[0] ?? []).reduce<number>((sofar, value) => evaluate(sofar, value), identity);
      result = along(() => total);
    } else {
      const { evaluate } = primitives[node.primitive];
      result = along((i) => evaluate(...operands.map((operand) => operand[i] ?? Number.NaN)));
    }
    values.set(current, result);
  }
  return [...(values.get(expression) ?? [])];
}

/** Properties of a row function, as seen on random rows of 1 to 8 elements. */
export function rowProperties(expression: Expression): RowProperties {
  const key = randomKey(0, 'evaluation');
  const rows = Array.from({ length: trials }, (_, trial) =>
    Array.from({ length: 1 + (trial % 8) }, (__, i) => 4 * randomNormal(key, 8 * trial + i)),
  );
  const f = (x: readonly number[]): number[] => evaluateRowExpression(expression, { x });
  const agree = (a: readonly number[], b: readonly number[]): boolean =>
    a.every((value, i) => Math.abs(value - (b[i] ?? Number.NaN)) <= tolerance * Math.max(1, Math.abs(value)));
  const always = (holds: (x: readonly number[], y: readonly number[]) => boolean): boolean =>
    rows.every((x) => holds(x, f(x)));
  return {
    sumsToOne: always((_, y) => Math.abs(y.reduce((sum, value) => sum + value, 0) - 1) <= tolerance),
    shiftInvariant: always((x, y) => agree(y, f(x.map((value) => value + 3)))),
    permutationEquivariant: always((x, y) => agree([...y].reverse(), f([...x].reverse()))),
    nonNegative: always((_, y) => y.every((value) => value >= 0)),
    rows: trials,
  };
}
