import { SluiceError } from '../../base/errors.js';
import { type Expression, fact, variable, withOperands } from '../../scalar/expression.js';
import { pending } from '../../scalar/fusion.js';
import { expand } from '../../scalar/lower.js';
import { operandsOf } from '../../scalar/match.js';
import type { Primitive } from '../../scalar/primitives.js';
import { CPrinter, type CText } from '../../scalar/print-c.js';

/** What chooses among its operands or changes a sign: as exact in float32 as they are. */
const choices: ReadonlySet<Primitive> = new Set(['neg', 'abs', 'min', 'max', 'select', 'carryNan']);

/** How float32 holds a value: exactly, within 1.1 ULP, as the difference of two exact ones, or not well enough. */
interface Fit {
  readonly fit: 'exact' | 'rounded' | 'difference' | 'none';
}

/**
 * Prints row expressions in two types: operands, what is chosen among them, and the exponential of a difference of them
 * (the weights of a softmax) in float32, twice the lanes of float64; everything else, sums above all, in float64.
 */
export class TypedPrinter {
  readonly #float = new CPrinter('float32', 'f');
  readonly #double = new CPrinter('float64', 'd');
  readonly #fit: (expression: Expression) => Fit;
  #count = 0;

  /** `floats` are the variables stored as float32. */
  constructor(floats: ReadonlySet<string>) {
    this.#fit = fact((expression, operands) => ({ fit: fitOf(expression, operands, floats) }));
  }

  /** Whether the value is a `float` where it has a name. */
  isFloat(expression: Expression): boolean {
    const { fit } = this.#fit(expression);
    return fit === 'exact' || fit === 'rounded';
  }

  ctype(expression: Expression): 'float' | 'double' {
    return this.isFloat(expression) ? 'float' : 'double';
  }

  /** Code for the expressions; `names` has what is known and gets what is computed. */
  print(targets: readonly Expression[], names: Map<Expression, string>): CText {
    const statements = this.#printFloats(targets, names);
    const doubles = targets.filter((target) => target.value === undefined && !names.has(target));
    const leaves = new Map<Expression, string>();
    const done = new Map<Expression, Expression>();
    const lower = (expression: Expression): Expression => {
      const known = done.get(expression);
      if (known !== undefined) return known;
      const name = names.get(expression);
      const lowered =
        name === undefined ? withOperands(expression, expression.operands.map(lower)) : variable(`leaf${leaves.size}`);
      if (name !== undefined) leaves.set(lowered, this.isFloat(expression) ? `(double)${name}` : name);
      done.set(expression, lowered);
      return lowered;
    };
    const printed = this.#double.evaluate(
      doubles.map((target) => expand(lower(target))),
      leaves,
    );
    doubles.forEach((target, i) => {
      names.set(target, printed.results[i] ?? '');
    });
    const results = targets.map((target) => names.get(target) ?? this.#double.number(target.value ?? Number.NaN));
    return { statements: [...statements, ...printed.statements], results };
  }

  #printFloats(targets: readonly Expression[], names: Map<Expression, string>): string[] {
    const statements: string[] = [];
    for (const expression of pending(targets, names)) {
      if (expression.value !== undefined || !this.isFloat(expression)) continue;
      const [a, b] = differenceIn(expression) ?? [];
      if (a !== undefined && b !== undefined) {
        const [left, right] = this.#float.evaluate([a, b], names).results;
        const name = `e${this.#count++}`;
        const exp = b.node.kind === 'reduce' && b.operands[0] === a ? 'sluice_exp_below' : 'sluice_exp_difference';
        statements.push(`const float ${name} = ${exp}(${left}, ${right});`);
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

/** a and b of exp(a - b). */
function differenceIn(expression: Expression): readonly Expression[] | undefined {
  const [exponent] = operandsOf(expression, 'exp') ?? [];
  return exponent === undefined ? undefined : operandsOf(exponent, 'sub');
}

function fitOf({ node }: Expression, operands: readonly Fit[], floats: ReadonlySet<string>): Fit['fit'] {
  const [{ fit: first } = { fit: 'none' as const }] = operands;
  if (node.kind === 'variable') return floats.has(node.name) ? 'exact' : 'none';
  if (node.kind === 'constant') return Object.is(Math.fround(node.value), node.value) ? 'exact' : 'none';
  if (node.kind === 'reduce') return node.reduction === 'maximum' && first !== 'difference' ? first : 'none';
  const isExact = operands.every(({ fit }) => fit === 'exact');
  if (node.primitive === 'sub') return isExact ? 'difference' : 'none';
  if (node.primitive === 'exp') return first === 'difference' ? 'rounded' : 'none';
  if (!choices.has(node.primitive)) return 'none';
  return isExact ? 'exact' : operands.every(({ fit }) => fit === 'exact' || fit === 'rounded') ? 'rounded' : 'none';
}
