import { type RowOperands, rowBuiltins } from '../../kernels/kernel.js';
import { type Expression, variable } from '../../scalar/expression.js';
import type { RowArguments, StorageType } from '../device.js';
import { ArgumentReader, ArgumentWriter } from './arguments.js';
import type { FunctionBuilder, Local } from './assembler.js';
import { type GroupSize, loadGroup, type Operand } from './groups.js';
import type { LanePrinter, Vector } from './lanes.js';
import { addressOf } from './memory.js';

/** The words of a launch that `RowOperandReader` reads. */
export function rowWords(operands: RowArguments): Int32Array {
  const { rows, length, elements, columns, perRow, scalars, outputs } = operands;
  writer.start().integer(rows).integer(length);
  for (const view of elements) writer.integer(addressOf(view)).integer(4 * (view.strides[0] ?? 0));
  for (const view of columns) writer.integer(addressOf(view));
  for (const view of perRow) writer.integer(addressOf(view));
  for (const view of outputs) writer.integer(addressOf(view)).integer(4 * (view.strides[0] ?? 0));
  for (const scalar of scalars) writer.float(scalar);
  return writer.words;
}

const writer = /* @__PURE__ */ new ArgumentWriter();

/** The storage types of the operands in the order of their arguments: what the code depends on beside the kernel. */
export const storageTypes = ({ elements, columns, perRow }: RowArguments): StorageType[] =>
  [...elements, ...columns, ...perRow].map(({ buffer }) => buffer.type);

interface Matrix {
  readonly base: Local<'i32'>;
  /** Bytes from one row to the next. */
  readonly rowStride: Local<'i32'>;
}

/** Reads a row or column kernel's launch and loads its variables. */
export class RowOperandReader {
  readonly rows: Local<'i32'>;
  readonly length: Local<'i32'>;
  readonly outputs: readonly Matrix[];
  readonly #f: FunctionBuilder;
  readonly #printer: LanePrinter;
  readonly #kernel: RowOperands;
  readonly #types: readonly StorageType[];
  readonly #elements: readonly Matrix[];
  readonly #columns: readonly Local<'i32'>[];
  readonly #perRow: readonly Local<'i32'>[];
  /** Scalars and the row's length: known before any row is. */
  readonly constants: ReadonlyMap<Expression, Vector>;

  constructor(
    f: FunctionBuilder,
    printer: LanePrinter,
    kernel: RowOperands,
    types: readonly StorageType[],
    outputs: number,
  ) {
    this.#f = f;
    this.#printer = printer;
    this.#kernel = kernel;
    this.#types = types;
    const reader = new ArgumentReader(f, f.parameter(0, 'i32'));
    const matrix = (): Matrix => ({ base: reader.integer(), rowStride: reader.integer() });
    this.rows = reader.integer();
    this.length = reader.integer();
    this.#elements = kernel.elements.map(matrix);
    this.#columns = kernel.columns.map(() => reader.integer());
    this.#perRow = kernel.rows.map(() => reader.integer());
    this.outputs = Array.from({ length: outputs }, matrix);
    const constants = new Map<Expression, Vector>();
    for (const name of kernel.scalars) constants.set(variable(name), reader.splat(printer.type));
    constants.set(variable(rowBuiltins.length), this.#splatInteger(this.length));
    this.constants = constants;
  }

  #splatInteger(value: Local<'i32'>): Vector {
    const local = this.#f.local('v128');
    this.#f.get(value);
    if (this.#printer.type === 'f64x2') this.#f.op('f64.convert_i32_s', 'f64x2.splat');
    else this.#f.op('f32.convert_i32_s', 'f32x4.splat');
    this.#f.set(local);
    return local;
  }

  /** The variables that have one value for the row, in every lane. */
  loadRow(row: Local<'i32'>): [Expression, Vector][] {
    return this.#perRow.flatMap((base, i) => {
      const address = this.#at(base, row, 4);
      const type = this.#types[this.#elements.length + this.#columns.length + i] ?? 'float32';
      return this.#bind(this.#kernel.rows[i], { type, spread: 'repeated', address }, 1, 0);
    });
  }

  /** The variables that run along the row, at `index` (a group from there on), for one vector of the group. */
  loadElements(
    used: ReadonlySet<Expression>,
    row: Local<'i32'>,
    index: Local<'i32'>,
    size: GroupSize,
  ): Map<Expression, Vector>[] {
    const halves: Map<Expression, Vector>[] =
      this.#printer.type === 'f64x2' && size === 4 ? [new Map(), new Map()] : [new Map()];
    const load = (name: string | undefined, type: StorageType | undefined, address: Local<'i32'>): void => {
      if (name === undefined || !used.has(variable(name))) return;
      const operand: Operand = { type: type ?? 'float32', spread: 'contiguous', address };
      loadGroup(this.#f, this.#printer.type, operand, size).forEach((vector, half) => {
        halves[half]?.set(variable(name), vector);
      });
    };
    this.#elements.forEach((matrix, i) => {
      if (used.has(variable(this.#kernel.elements[i] ?? ''))) {
        load(this.#kernel.elements[i], this.#types[i], this.elementAddress(matrix, row, index));
      }
    });
    this.#columns.forEach((base, i) => {
      load(this.#kernel.columns[i], this.#types[this.#elements.length + i], this.#at(base, index, 4));
    });
    if (used.has(variable(rowBuiltins.position))) {
      halves.forEach((known, half) => {
        known.set(variable(rowBuiltins.position), this.#positions(index, half));
      });
    }
    return halves;
  }

  elementAddress(matrix: Matrix, row: Local<'i32'>, index: Local<'i32'>): Local<'i32'> {
    const address = this.#at(matrix.base, index, 4);
    this.#f.get(address, row, matrix.rowStride);
    this.#f.op('i32.mul', 'i32.add');
    this.#f.set(address);
    return address;
  }

  /** The addresses that a matrix of one column per row has. */
  rowAddress(matrix: Matrix, row: Local<'i32'>): Local<'i32'> {
    return this.#at(matrix.base, row, 4);
  }

  #at(base: Local<'i32'>, index: Local<'i32'>, bytes: number): Local<'i32'> {
    const address = this.#f.local('i32');
    this.#f.get(base, index);
    this.#f.i32(bytes);
    this.#f.op('i32.mul', 'i32.add');
    this.#f.set(address);
    return address;
  }

  #bind(name: string | undefined, operand: Operand, size: GroupSize, half: number): [Expression, Vector][] {
    const vector = loadGroup(this.#f, this.#printer.type, operand, size)[half];
    return name === undefined || vector === undefined ? [] : [[variable(name), vector]];
  }

  #positions(index: Local<'i32'>, half: number): Vector {
    const f = this.#f;
    const first = this.#splatInteger(index);
    const local = f.local('v128');
    f.get(first);
    if (this.#printer.type === 'f64x2') {
      f.v128(new Uint8Array(new Float64Array([2 * half, 2 * half + 1]).buffer));
      f.op('f64x2.add');
    } else {
      f.v128(new Uint8Array(new Float32Array([0, 1, 2, 3]).buffer));
      f.op('f32x4.add');
    }
    f.set(local);
    return local;
  }
}
