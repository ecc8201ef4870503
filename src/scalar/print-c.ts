import { SluiceError } from '../base/errors.js';
import type { Expression } from './expression.js';
import { fusable, pending } from './fusion.js';
import { primitives } from './primitives.js';

/** The types that C computes in, by the type of the expansions. */
const cTypes = {
  float32: { name: 'float', suffix: 'f' },
  float64: { name: 'double', suffix: '' },
} as const;

/** Statements in the order to run them, and what holds each output: a name or a number. */
export interface CText {
  readonly statements: readonly string[];
  readonly results: readonly string[];
}

/**
 * Prints expanded expressions as straight-line C: one `const` for each value, without branches, so that a loop around it
 * is vectorised. Sums with a product that nothing else uses are fused. The text depends on the expressions alone, not on
 * what was made before them. It needs `devices/native/prelude.h`.
 */
export class CPrinter {
  /** `float` or `double`. */
  readonly type: 'float' | 'double';
  readonly #f: 'f' | '';
  readonly #prefix: string;
  #count = 0;

  /** Names of values start with the prefix. */
  constructor(type: keyof typeof cTypes, prefix = 't') {
    this.type = cTypes[type].name;
    this.#f = cTypes[type].suffix;
    this.#prefix = prefix;
  }

  /** A number that C reads back to the same one (to the nearest float32 where lanes are float32). */
  number(value: number): string {
    const rounded = this.#f === 'f' ? Math.fround(value) : value;
    if (Number.isNaN(rounded)) return `__builtin_nan${this.#f}("")`;
    const size = Math.abs(rounded);
    const text = Number.isFinite(size) ? `${hexadecimal(size)}${this.#f}` : `__builtin_inf${this.#f}()`;
    return rounded < 0 || Object.is(rounded, -0) ? `(-${text})` : text;
  }

  /** Code for one evaluation; `known` gives names of variables and of whatever is computed already. */
  evaluate(outputs: readonly Expression[], known: ReadonlyMap<Expression, string>): CText {
    const names = new Map(known);
    const order = pending(outputs, names);
    const fused = fusable(order, outputs);
    const skipped = new Set([...fused.values()].map(({ product }) => product));
    const name = (expression: Expression): string => {
      const found = expression.value === undefined ? names.get(expression) : this.number(expression.value);
      if (found === undefined)
        throw new SluiceError('internal', { rule: 'a C program has every operand computed before its use' });
      return found;
    };
    const statements: string[] = [];
    for (const expression of order) {
      if (expression.value !== undefined || skipped.has(expression)) continue;
      const fusion = fused.get(expression);
      const text =
        fusion === undefined
          ? this.#applied(expression, expression.operands.map(name))
          : `sluice_fma${this.#f}(${fusion.kind === 'madd' ? '' : '-'}${name(fusion.a)}, ${name(fusion.b)}, ${name(fusion.c)})`;
      const result = `${this.#prefix}${this.#count++}`;
      statements.push(`const ${this.type} ${result} = ${text};`);
      names.set(expression, result);
    }
    return { statements, results: outputs.map(name) };
  }

  #applied({ node }: Expression, operands: readonly string[]): string {
    if (node.kind !== 'apply')
      throw new SluiceError('internal', { rule: 'a C program applies primitives', received: node.kind });
    const { lanes } = primitives[node.primitive];
    if (!('steps' in lanes))
      throw new SluiceError('internal', { rule: 'an expanded primitive is an instruction', received: node.primitive });
    const [a, b] = node.operands;
    const isBounded = node.primitive === 'min' || node.primitive === 'max';
    const hasConstant = a?.value !== undefined || b?.value !== undefined;
    return isBounded && hasConstant ? extremum(node.primitive, node.operands, operands) : lanes.c(this.#f, ...operands);
  }
}

/** One comparison where an operand is a constant: it keeps a NaN of the other. */
function extremum(
  primitive: 'min' | 'max',
  [a]: readonly Expression[],
  [left = '', right = '']: readonly string[],
): string {
  const [x, bound] = a?.value === undefined ? [left, right] : [right, left];
  return primitive === 'min' ? `${bound} < ${x} ? ${bound} : ${x}` : `${x} < ${bound} ? ${bound} : ${x}`;
}

/** A finite number of at least 0 as C's hexadecimal floating constant. */
function hexadecimal(value: number): string {
  if (value === 0) return '0x0p0';
  const exponent = Math.min(1023, Math.max(-1022, Math.floor(Math.log2(value))));
  const scaled = value / 2 ** exponent; // log2 may be one too many: digits before the point are then 0 or 2
  const [whole = '0', digits = ''] = scaled.toString(16).split('.');
  return `0x${whole}${digits === '' ? '' : `.${digits}`}p${exponent}`;
}
