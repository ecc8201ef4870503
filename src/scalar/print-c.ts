import { SluiceError } from '../base/errors.js';
import type { Expression } from './expression.js';
import { type Fused, fusable, pending } from './fusion.js';
import { type Primitive, primitives } from './primitives.js';

/** The types that C computes in, one value at a time or a vector of them. */
const cTypes = {
  scalar: { float32: 'float', float64: 'double' },
  vector: { float32: 'floats', float64: 'doubles' },
} as const;

/** Statements in the order to run them, and what holds each output: a name or a number. */
export interface CText {
  readonly statements: readonly string[];
  readonly results: readonly string[];
}

/**
 * Prints expanded expressions as straight-line C: one `const` for each value, without branches, of single values (a loop
 * around it is vectorised) or of vectors. Sums with a product that nothing else uses are fused. The text depends on the expressions alone, not on
 * what was made before them. It needs `devices/native/prelude.h`.
 */
export class CPrinter {
  /** Of every value; the start of the names of functions, too. */
  readonly type: 'float' | 'double' | 'floats' | 'doubles';
  readonly #isShort: boolean;
  readonly #isVector: boolean;
  readonly #prefix: string;
  #count = 0;

  /** Names of values start with the prefix. */
  constructor(type: 'float32' | 'float64', prefix = 't', form: 'scalar' | 'vector' = 'scalar') {
    this.type = cTypes[form][type];
    this.#isShort = type === 'float32';
    this.#isVector = form === 'vector';
    this.#prefix = prefix;
  }

  /** A number that C reads back to the same one (to the nearest float32 where lanes are float32). */
  number(value: number): string {
    const rounded = this.#isShort ? Math.fround(value) : value;
    const f = this.#isShort ? 'f' : '';
    if (Number.isNaN(rounded)) return `__builtin_nan${f}("")`;
    const size = Math.abs(rounded);
    const text = Number.isFinite(size) ? `${hexadecimal(size)}${f}` : `__builtin_inf${f}()`;
    return rounded < 0 || Object.is(rounded, -0) ? `(-${text})` : text;
  }

  readonly #call = (name: string, ...operands: string[]): string => `${this.type}_${name}(${operands.join(', ')})`;

  /** Code for one evaluation; `known` gives names of variables and of whatever is computed already. */
  evaluate(outputs: readonly Expression[], known: ReadonlyMap<Expression, string>): CText {
    const { statements, results } = this.evaluateSide(outputs, [known]);
    return { statements, results: results[0] ?? [] };
  }

  /**
   * Code for several evaluations side by side, step by step in turns: a processor that would wait for the last step of one
   * goes on with the others.
   */
  evaluateSide(
    outputs: readonly Expression[],
    known: readonly ReadonlyMap<Expression, string>[],
  ): { readonly statements: readonly string[]; readonly results: readonly (readonly string[])[] } {
    const copies = known.map((names) => new Map(names));
    const order = pending(outputs, known[0] ?? new Map());
    const fused = fusable(order, outputs);
    const skipped = new Set([...fused.values()].map(({ product }) => product));
    const statements: string[] = [];
    for (const expression of order) {
      if (expression.value !== undefined || skipped.has(expression)) continue;
      for (const names of copies) {
        const result = `${this.#prefix}${this.#count++}`;
        statements.push(`const ${this.type} ${result} = ${this.#text(expression, fused.get(expression), names)};`);
        names.set(expression, result);
      }
    }
    return { statements, results: copies.map((names) => outputs.map((output) => this.#name(output, names))) };
  }

  #text(expression: Expression, fusion: Fused | undefined, names: ReadonlyMap<Expression, string>): string {
    const name = (operand: Expression): string => this.#name(operand, names);
    if (fusion === undefined) return this.#applied(expression, expression.operands.map(name));
    return this.#call(fusion.kind === 'madd' ? 'fma' : 'fnma', name(fusion.a), name(fusion.b), name(fusion.c));
  }

  #name(expression: Expression, names: ReadonlyMap<Expression, string>): string {
    const { value } = expression;
    if (value !== undefined) return this.#isVector ? this.#call('all', this.number(value)) : this.number(value);
    const found = names.get(expression);
    if (found === undefined)
      throw new SluiceError('internal', { rule: 'a C program has every operand computed before its use' });
    return found;
  }

  #applied({ node }: Expression, operands: readonly string[]): string {
    if (node.kind !== 'apply')
      throw new SluiceError('internal', { rule: 'a C program applies primitives', received: node.kind });
    const { lanes } = primitives[node.primitive];
    if (!('steps' in lanes))
      throw new SluiceError('internal', { rule: 'an expanded primitive is an instruction', received: node.primitive });
    return extremum(node.primitive, node.operands, operands, this.#call) ?? lanes.c(this.#call, ...operands);
  }
}

/** A minimum or maximum with a constant: one instruction, which gives its second operand where the other is NaN. */
function extremum(
  primitive: Primitive,
  [a, b]: readonly Expression[],
  [left = '', right = '']: readonly string[],
  call: (name: string, ...operands: string[]) => string,
): string | undefined {
  if (primitive !== 'min' && primitive !== 'max') return undefined;
  const name = primitive === 'min' ? 'lesser' : 'greater';
  if (a?.value !== undefined) return call(name, left, right);
  return b?.value === undefined ? undefined : call(name, right, left);
}

/** A finite number of at least 0 as C's hexadecimal floating constant. */
function hexadecimal(value: number): string {
  if (value === 0) return '0x0p0';
  const exponent = Math.min(1023, Math.max(-1022, Math.floor(Math.log2(value))));
  const scaled = value / 2 ** exponent; // log2 may be one too many: digits before the point are then 0 or 2
  const [whole = '0', digits = ''] = scaled.toString(16).split('.');
  return `0x${whole}${digits === '' ? '' : `.${digits}`}p${exponent}`;
}
