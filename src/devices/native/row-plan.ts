import { elementVariables, type RowOperands } from '../../kernels/kernel.js';
import { runsAlong } from '../../scalar/differentiate.js';
import { constant, type Expression, transform, withOperands } from '../../scalar/expression.js';
import { operandsOf } from '../../scalar/match.js';
import { primitives } from '../../scalar/primitives.js';
import { reductionLevels } from '../reduction-levels.js';

const one = constant(1);

/** a / r as a (1 / r) where r has one value for the row: a division for the row instead of one for each element. */
export function multiplyByReciprocals(root: Expression, along: ReadonlySet<string>): Expression {
  return transform(root, (expression, operands) => {
    const rebuilt = withOperands(expression, operands);
    const [a, b] = operandsOf(rebuilt, 'div') ?? [];
    if (a === undefined || b?.value !== undefined || b === undefined) return rebuilt;
    return runsAlong(a, along) && !runsAlong(b, along) ? a.mul(one.div(b)) : rebuilt;
  });
}

/** The passes over a row: one for each level of reductions that need each other, then one for the outputs. */
export class RowPlan {
  readonly outputs: readonly Expression[];
  /** The variables that run along the row. */
  readonly along: ReadonlySet<string>;
  readonly levels: readonly (readonly Expression[])[];
  /** What a pass computes and a later one uses again, where that costs more than keeping it: by pass. */
  readonly kept: readonly (readonly Expression[])[];

  constructor(kernel: RowOperands & { readonly outputs: readonly Expression[] }) {
    this.along = elementVariables(kernel);
    this.outputs = kernel.outputs.map((output) => multiplyByReciprocals(output, this.along));
    this.levels = reductionLevels(this.outputs);
    this.kept = this.#keep();
  }

  /** Whether a value is one for the whole row. */
  isRow(expression: Expression): boolean {
    return !runsAlong(expression, this.along);
  }

  /** What a pass evaluates for each element. */
  targets(level: number): readonly Expression[] {
    const reductions = this.levels[level];
    return reductions === undefined
      ? this.outputs.filter((output) => !this.isRow(output))
      : reductions.flatMap(({ operands: [operand] }) => operand ?? []);
  }

  /** What the targets need that has one value for the row, the largest such expressions. */
  rowValues(targets: readonly Expression[]): Expression[] {
    const found = new Set<Expression>();
    const visited = new Set<Expression>();
    const visit = (expression: Expression): void => {
      if (visited.has(expression)) return;
      visited.add(expression);
      if (expression.value !== undefined) return;
      if (this.isRow(expression)) found.add(expression);
      else for (const operand of expression.operands) visit(operand);
    };
    for (const target of targets) visit(target);
    return [...found];
  }

  #keep(): Expression[][] {
    const firstPass = new Map<Expression, number>();
    const kept: Expression[][] = [];
    for (let pass = 0; pass <= this.levels.length; pass++) {
      const visited = new Set<Expression>();
      const visit = (expression: Expression): void => {
        if (visited.has(expression) || this.isRow(expression)) return;
        visited.add(expression);
        const first = firstPass.get(expression);
        if (first !== undefined && isDear(expression)) {
          const before = kept[first] ?? [];
          if (!before.includes(expression)) kept[first] = [...before, expression];
          return;
        }
        for (const operand of expression.operands) visit(operand);
      };
      for (const target of this.targets(pass)) visit(target);
      for (const expression of visited) if (!firstPass.has(expression)) firstPass.set(expression, pass);
    }
    return Array.from({ length: this.levels.length + 1 }, (_, pass) => kept[pass] ?? []);
  }
}

/** More than a store and a load. */
const isDear = ({ node }: Expression): boolean =>
  node.kind === 'apply' && primitives[node.primitive].cost === 'special';
