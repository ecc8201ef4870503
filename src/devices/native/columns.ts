import type { ColumnKernel } from '../../kernels/kernel.js';
import type { RowArguments } from '../device.js';
import { columnSource, columnsPerTile } from './column-source.js';
import { resource } from './resource.js';
import { storageTypes, writeOperands } from './row-operands.js';
import { ArgumentWriter, type Launcher, type NativeKernel } from './runtime.js';

/** Rows are summed in at most so many blocks: enough for the threads, whatever their number, so that sums are the same. */
const mostBlocks = 32;
const fewestRows = 16;
const columnsPerChunk = 256;

/** Runs sums over rows: blocks of rows at once, then their sums in order. */
export class ColumnLauncher {
  readonly #launcher: Launcher;
  readonly #variants = new WeakMap<ColumnKernel, Map<string, NativeKernel>>();
  readonly #words = new ArgumentWriter();

  constructor(launcher: Launcher) {
    this.#launcher = launcher;
  }

  run(kernel: ColumnKernel, operands: RowArguments, accumulate: boolean): void {
    const { rows, length, outputs } = operands;
    const rowsPerBlock = Math.max(fewestRows, Math.ceil(rows / mostBlocks));
    const blocks = Math.max(1, Math.ceil(rows / rowsPerBlock));
    const bytes = 8 * blocks * length;
    const sums = this.#launcher.workspace(bytes * outputs.length);
    writeOperands(this.#words, operands).number(rowsPerBlock).number(blocks).number(sums);
    const tiles = Math.ceil(length / columnsPerTile);
    this.#launcher.launch(this.#find(kernel, operands), this.#words.words, blocks * tiles, 1);
    const finish = this.#launcher.kernel('columnFinish', finishSource);
    outputs.forEach((output, o) => {
      this.#words
        .start()
        .number(length)
        .number(blocks)
        .number(sums + o * bytes);
      this.#words.address(output).number(accumulate ? 1 : 0);
      this.#launcher.launch(finish, this.#words.words, length, columnsPerChunk);
    });
  }

  #find(kernel: ColumnKernel, operands: RowArguments): NativeKernel {
    const types = storageTypes(operands);
    const key = types.join();
    const variants = this.#variants.get(kernel) ?? new Map<string, NativeKernel>();
    this.#variants.set(kernel, variants);
    const known = variants.get(key);
    if (known !== undefined) return known;
    const source = columnSource(kernel, types);
    const made = this.#launcher.kernel(source.name, () => source);
    variants.set(key, made);
    return made;
  }
}

const finishSource = () => ({ name: 'sluice_column_finish', code: resource('column-finish.c') });
