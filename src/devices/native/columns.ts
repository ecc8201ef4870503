import type { ColumnKernel } from '../../kernels/kernel.js';
import type { RowArguments } from '../device.js';
import { Variants } from '../variants.js';
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
  readonly #variants = new Variants<ColumnKernel, NativeKernel>();
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
    return this.#variants.find(kernel, types.join(), () => {
      const source = columnSource(kernel, types);
      return this.#launcher.kernel(source.name, () => source);
    });
  }
}

const finishSource = () => ({ name: 'sluice_column_finish', code: resource('column-finish.c') });
