import type { RowKernel } from '../../kernels/kernel.js';
import type { RowArguments } from '../device.js';
import { Variants } from '../variants.js';
import { storageTypes, writeOperands } from './row-operands.js';
import { type RowSource, rowSource } from './row-source.js';
import { ArgumentWriter, type Launcher, type NativeKernel } from './runtime.js';

const elementsPerChunk = 8192;

interface Variant {
  readonly native: NativeKernel;
  readonly source: RowSource;
}

/** Runs row kernels: a row is one work item. */
export class RowLauncher {
  readonly #launcher: Launcher;
  readonly #variants = new Variants<RowKernel, Variant>();
  readonly #words = new ArgumentWriter();

  constructor(launcher: Launcher) {
    this.#launcher = launcher;
  }

  run(kernel: RowKernel, operands: RowArguments): void {
    const { rows, length } = operands;
    const { native, source } = this.#find(kernel, operands);
    const grain = Math.max(1, Math.ceil(elementsPerChunk / Math.max(1, length)));
    const { words } = writeOperands(this.#words, operands);
    this.#launcher.launch(native, words, rows, grain, source.scratchBytes(length));
  }

  #find(kernel: RowKernel, operands: RowArguments): Variant {
    const types = storageTypes(operands);
    return this.#variants.find(kernel, types.join(), () => {
      const source = rowSource(kernel, types);
      return { source, native: this.#launcher.kernel(source.name, () => source) };
    });
  }
}
