import { type Expression, fact } from '../../scalar/expression.js';
import { operandsOf } from '../../scalar/match.js';
import type { Primitive } from '../../scalar/primitives.js';

/** What chooses among its operands or changes a sign: as exact in float32 as they are. */
const choices: ReadonlySet<Primitive> = new Set(['neg', 'abs', 'min', 'max', 'select', 'carryNan']);

/** How float32 holds a value: exactly, within 1.1 ULP, as the difference of two exact ones, or not well enough. */
interface Fit {
  readonly fit: 'exact' | 'rounded' | 'difference' | 'none';
}

/**
 * Which values of row expressions are held in float32: operands, what is chosen among them, and the exponential of a
 * difference of them (the weights of a softmax). Everything else, sums above all, takes float64.
 */
export class Fits {
  readonly #fit: (expression: Expression) => Fit;

  /** `floats` are the variables stored as float32. */
  constructor(floats: ReadonlySet<string>) {
    this.#fit = fact((expression, operands) => ({ fit: fitOf(expression, operands, floats) }));
  }

  isFloat(expression: Expression): boolean {
    const { fit } = this.#fit(expression);
    return fit === 'exact' || fit === 'rounded';
  }

  ctype(expression: Expression): 'float' | 'double' {
    return this.isFloat(expression) ? 'float' : 'double';
  }
}

/** The exponential of a difference: its operands, and what computes it in C behind `float_` or `floats_`. */
export function exponentialOf(
  expression: Expression,
): { readonly a: Expression; readonly b: Expression; readonly name: string } | undefined {
  const [exponent] = operandsOf(expression, 'exp') ?? [];
  const [a, b] = operandsOf(exponent, 'sub') ?? [];
  if (a === undefined || b === undefined) return undefined;
  const isLargest = b.node.kind === 'reduce' && b.node.reduction === 'maximum' && b.operands[0] === a;
  return { a, b, name: isLargest ? 'exp_below' : 'exp_difference' };
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
