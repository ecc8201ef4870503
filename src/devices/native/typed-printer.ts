import { SluiceError } from '../../base/errors.js';
import { type Expression, variable, withOperands } from '../../scalar/expression.js';
import { pending } from '../../scalar/fusion.js';
import { expand } from '../../scalar/lower.js';
import { CPrinter, type CText } from '../../scalar/print-c.js';
import { exponentialOf, type Fits } from './fits.js';

/** Expressions over leaves in place of what is known, expanded for float64. */
export class Lowering {
  readonly leaves = new Map<Expression, Expression>();
  readonly #isLeaf: (expression: Expression) => boolean;
  readonly #done = new Map<Expression, Expression>();

  constructor(isLeaf: (expression: Expression) => boolean) {
    this.#isLeaf = isLeaf;
  }

  lower(expression: Expression): Expression {
    return expand(this.#replace(expression));
  }

  /** `leaves` has what each leaf stands for. */
  #replace(expression: Expression): Expression {
    const known = this.#done.get(expression);
    if (known !== undefined) return known;
    const isLeaf = expression.value === undefined && this.#isLeaf(expression);
    const replaced = isLeaf
      ? variable(`leaf${this.leaves.size}`)
      : withOperands(
          expression,
          expression.operands.map((operand) => this.#replace(operand)),
        );
    if (isLeaf) this.leaves.set(replaced, expression);
    this.#done.set(expression, replaced);
    return replaced;
  }
}

/** Prints expressions on single values, in two types. */
export class TypedPrinter {
  readonly #fits: Fits;
  readonly #float = new CPrinter('float32', 'f');
  readonly #double = new CPrinter('float64', 'd');
  #count = 0;

  constructor(fits: Fits) {
    this.#fits = fits;
  }

  /** Code for the expressions; `names` has what is known and gets what is computed. */
  print(targets: readonly Expression[], names: Map<Expression, string>): CText {
    const statements = this.#printFloats(targets, names);
    const doubles = targets.filter((target) => target.value === undefined && !names.has(target));
    const lowering = new Lowering((expression) => names.has(expression));
    const lowered = doubles.map((target) => lowering.lower(target));
    const leaves = new Map<Expression, string>();
    for (const [leaf, expression] of lowering.leaves) {
      const name = names.get(expression) ?? '';
      leaves.set(leaf, this.#fits.isFloat(expression) ? `(double)${name}` : name);
    }
    const printed = this.#double.evaluate(lowered, leaves);
    doubles.forEach((target, i) => {
      names.set(target, printed.results[i] ?? '');
    });
    const results = targets.map((target) => names.get(target) ?? this.#double.number(target.value ?? Number.NaN));
    return { statements: [...statements, ...printed.statements], results };
  }

  #printFloats(targets: readonly Expression[], names: Map<Expression, string>): string[] {
    const statements: string[] = [];
    for (const expression of pending(targets, names)) {
      if (expression.value !== undefined || !this.#fits.isFloat(expression)) continue;
      const exponential = exponentialOf(expression);
      if (exponential !== undefined) {
        const operands = this.#float.evaluate([exponential.a, exponential.b], names).results;
        const name = `e${this.#count++}`;
        statements.push(`const float ${name} = float_exp_difference(${operands.join(', ')});`);
        names.set(expression, name);
        continue;
      }
      if (expression.node.kind !== 'apply')
        throw new SluiceError('internal', { rule: 'a row program has every operand before its use' });
      const printed = this.#float.evaluate([expression], names);
      statements.push(...printed.statements);
      names.set(expression, printed.results[0] ?? '');
    }
    return statements;
  }
}
