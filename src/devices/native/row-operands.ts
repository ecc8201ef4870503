import { type RowOperands, rowBuiltins } from '../../kernels/kernel.js';
import { type Expression, variable } from '../../scalar/expression.js';
import { pending } from '../../scalar/fusion.js';
import type { RowArguments, StorageType } from '../device.js';
import type { ArgumentWriter } from './arguments.js';
import type { Memory } from './row-pass.js';

/** The storage types of the operands in the order of their arguments: what the text depends on beside the kernel. */
export const storageTypes = ({ elements, columns, perRow }: RowArguments): StorageType[] =>
  [...elements, ...columns, ...perRow].map(({ buffer }) => buffer.type);

/** Writes what `RowOperandText` reads; words of a kernel's own come behind. */
export function writeOperands(writer: ArgumentWriter, operands: RowArguments): ArgumentWriter {
  const { rows, length, elements, columns, perRow, scalars, outputs } = operands;
  writer.start().number(rows).number(length);
  for (const view of elements) writer.address(view).number(view.strides[0] ?? 0);
  for (const view of columns) writer.address(view);
  for (const view of perRow) writer.address(view);
  for (const view of outputs) writer.address(view).number(view.strides[0] ?? 0);
  for (const scalar of scalars) writer.number(scalar);
  return writer;
}

interface Operand {
  readonly expression: Expression;
  readonly kind: 'element' | 'column' | 'row';
  readonly ctype: 'float' | 'int32_t';
  readonly place: number;
}

/** The operands of a row or column kernel in C: `rows`, `length`, and a pointer p0, p1, … for each. */
export class RowOperandText {
  /** The variables stored as float32. */
  readonly floats: ReadonlySet<string>;
  /** Statements that read the arguments, and the word behind the last. */
  readonly arguments: readonly string[];
  readonly nextWord: number;
  /** Scalars and the row's length: known before any row is. */
  readonly constants: ReadonlyMap<Expression, string>;
  /** Where variables that run along the row lie. */
  readonly memory: ReadonlyMap<Expression, Memory>;
  readonly #operands: readonly Operand[];

  constructor(kernel: RowOperands, types: readonly StorageType[], outputs: number) {
    const named = (names: readonly string[], kind: Operand['kind']) => names.map((name) => ({ name, kind }));
    const all = [
      ...named(kernel.elements, 'element'),
      ...named(kernel.columns, 'column'),
      ...named(kernel.rows, 'row'),
    ];
    this.floats = new Set(all.flatMap(({ name }, i) => (types[i] === 'int32' ? [] : [name])));
    this.#operands = all.map(({ name, kind }, place) => {
      const ctype = types[place] === 'int32' ? 'int32_t' : 'float';
      return { expression: variable(name), kind, ctype, place };
    });
    this.memory = new Map(
      this.#operands.flatMap(({ expression, kind, ctype, place }): [Expression, Memory][] =>
        kind === 'row' ? [] : [[expression, { name: `x${place}`, ctype }]],
      ),
    );
    let word = 0;
    const integer = (name: string): string => `const int64_t ${name} = (int64_t)args[${word++}];`;
    const lines = [integer('rows'), integer('length')];
    for (const { kind, ctype, place } of this.#operands) {
      lines.push(`const ${ctype} *const p${place} = ADDRESS(const ${ctype}, args[${word++}]);`);
      if (kind === 'element') lines.push(integer(`step${place}`));
    }
    for (let output = 0; output < outputs; output++) {
      lines.push(`float *const o${output} = ADDRESS(float, args[${word++}]);`, integer(`ostep${output}`));
    }
    const constants = new Map([[variable(rowBuiltins.length), '(double)length']]);
    for (const [i, name] of kernel.scalars.entries()) {
      lines.push(`const double s${i} = args[${word++}];`);
      constants.set(variable(name), `s${i}`);
    }
    this.constants = constants;
    this.arguments = lines;
    this.nextWord = word;
  }

  /** Row i: a pointer x0, x1, … to its elements, from column `first` on, and what has one value for it. */
  enterRow(names: Map<Expression, string>, first = ''): string[] {
    return this.#operands.map(({ expression, kind, ctype, place }) => {
      if (kind === 'row') {
        names.set(expression, `r${place}`);
        return `const ${ctype === 'float' ? 'float' : 'double'} r${place} = p${place}[i];`;
      }
      const row = kind === 'element' ? ` + i * step${place}` : '';
      return `const ${ctype} *const x${place} = p${place}${row}${first};`;
    });
  }

  /** The pointers x0, … to rows of float32 elements; the next row of each is x0_next, …. */
  get rows(): readonly string[] {
    return this.#operands.flatMap(({ kind, ctype, place }) =>
      kind === 'element' && ctype === 'float' ? [`x${place}`] : [],
    );
  }

  /** Behind `enterRow`: where the next row is, or this one if it is the last. */
  nextRows(): string[] {
    return this.rows.map(
      (name) => `const float *const ${name}_next = i + 1 < end ? ${name} + step${name.slice(1)} : ${name};`,
    );
  }

  /** Statements that load what the targets use of element `index` of the row, at `position` along it. */
  load(targets: readonly Expression[], names: Map<Expression, string>, index: string, position = index): string[] {
    const used = new Set(pending(targets, names));
    const along = variable(rowBuiltins.position);
    const lines = this.#operands.flatMap(({ expression, kind, ctype, place }) => {
      if (kind === 'row' || !used.has(expression)) return [];
      names.set(expression, `v${place}`);
      return [`const ${ctype === 'float' ? 'float' : 'double'} v${place} = x${place}[${index}];`];
    });
    if (!used.has(along)) return lines;
    names.set(along, 'position');
    return [...lines, `const double position = (double)(${position});`];
  }
}
