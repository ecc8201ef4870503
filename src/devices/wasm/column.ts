import { SluiceError } from '../../base/errors.js';
import type { ColumnKernel } from '../../kernels/kernel.js';
import { type Expression, reachable } from '../../scalar/expression.js';
import { expand } from '../../scalar/lower.js';
import type { RowArguments, StorageType } from '../device.js';
import type { FunctionBuilder, Local } from './assembler.js';
import { type GroupSize, loadGroup, type Operand, storeGroup, vectorsPerGroup } from './groups.js';
import { LanePrinter, type Vector } from './lanes.js';
import { RowOperandReader, rowWords, storageTypes } from './row-operands.js';
import type { WasmRuntime } from './runtime.js';
import { KernelVariants } from './variants.js';

/** Columns that one turn sums together: a cache line of float32. */
const columnsPerItem = 16;

/** Compiles and runs sums over rows; each column is summed by one thread, from the first row to the last. */
export class ColumnLauncher {
  readonly #runtime: WasmRuntime;
  readonly #variants: KernelVariants<ColumnKernel>;

  constructor(runtime: WasmRuntime) {
    this.#runtime = runtime;
    this.#variants = new KernelVariants(runtime);
  }

  run(kernel: ColumnKernel, operands: RowArguments, accumulate: boolean): void {
    const types = storageTypes(operands);
    const id = this.#variants.find(kernel, `${types.join()} ${accumulate}`, (f) =>
      new ColumnEmitter(f, kernel, types, accumulate, this.#runtime.relaxed).emit(),
    );
    this.#runtime.launch(id, rowWords(operands), Math.ceil(operands.length / columnsPerItem), 1);
  }
}

class ColumnEmitter {
  readonly #f: FunctionBuilder;
  readonly #outputs: readonly Expression[];
  readonly #used: ReadonlySet<Expression>;
  readonly #printer: LanePrinter;
  readonly #reader: RowOperandReader;
  readonly #accumulate: boolean;

  constructor(
    f: FunctionBuilder,
    kernel: ColumnKernel,
    types: readonly StorageType[],
    accumulate: boolean,
    relaxed: boolean,
  ) {
    this.#f = f;
    this.#outputs = kernel.outputs.map((output) => expand(output));
    this.#used = new Set(reachable(this.#outputs));
    this.#printer = new LanePrinter(f, 'f64x2', relaxed);
    this.#reader = new RowOperandReader(f, this.#printer, kernel, types, kernel.outputs.length);
    this.#accumulate = accumulate;
  }

  emit(): void {
    const f = this.#f;
    this.#printer.hoistConstants(this.#outputs);
    const [item, first, last, column] = [f.local('i32'), f.local('i32'), f.local('i32'), f.local('i32')];
    f.forRange(item, f.parameter(1, 'i32'), f.parameter(2, 'i32'), 1, () => {
      f.get(item);
      f.i32(columnsPerItem);
      f.op('i32.mul');
      f.tee(first);
      f.i32(columnsPerItem);
      f.op('i32.add');
      f.set(last);
      f.get(last, this.#reader.length);
      f.op('i32.le_s');
      f.if(
        () => this.#emitColumns(first, 4, columnsPerItem / 4),
        () => f.forRange(column, first, this.#reader.length, 1, () => this.#emitColumns(column, 1, 1)),
      );
    });
  }

  /** Sums `groups` neighbouring groups of columns from `column` on over all rows. */
  #emitColumns(column: Local<'i32'>, size: GroupSize, groups: number): void {
    const f = this.#f;
    const starts = Array.from({ length: groups }, (_, group) => this.#offset(column, 4 * group));
    const sums = starts.map((start) => this.#outputs.map((_, output) => this.#initial(output, start, size)));
    const row = f.local('i32');
    f.forRange(row, 0, this.#reader.rows, 1, () => {
      const perRow = new Map([...this.#reader.constants, ...this.#reader.loadRow(row)]);
      starts.forEach((start, group) => {
        this.#reader.loadElements(this.#used, row, start, size).forEach((elements, half) => {
          const values = this.#printer.evaluate(this.#outputs, new Map([...perRow, ...elements]));
          values.forEach((value, output) => {
            const sum = sums[group]?.[output]?.[half];
            if (sum === undefined) return;
            f.get(sum, value);
            f.op('f64x2.add');
            f.set(sum);
          });
        });
      });
    });
    starts.forEach((start, group) => {
      sums[group]?.forEach((vectors, output) => {
        storeGroup(f, 'f64x2', this.#operand(output, start), size, vectors);
      });
    });
  }

  #offset(column: Local<'i32'>, by: number): Local<'i32'> {
    const start = this.#f.local('i32');
    this.#f.get(column);
    this.#f.i32(by);
    this.#f.op('i32.add');
    this.#f.set(start);
    return start;
  }

  #operand(output: number, start: Local<'i32'>): Operand {
    const matrix = this.#reader.outputs[output];
    if (matrix === undefined) throw new SluiceError('internal', { rule: 'a column kernel has a view for each output' });
    return { type: 'float32', spread: 'contiguous', address: this.#reader.rowAddress(matrix, start) };
  }

  /** Zeros, or what the output holds when the sums are added to it. */
  #initial(output: number, start: Local<'i32'>, size: GroupSize): Vector[] {
    if (this.#accumulate) return loadGroup(this.#f, 'f64x2', this.#operand(output, start), size);
    return Array.from({ length: vectorsPerGroup('f64x2', size) }, () => this.#printer.splat(0));
  }
}
