import type { RandomKey } from '../../../src/base/random.js';
import type { Device, HostArray, RowArguments, StorageType, View } from '../../../src/devices/device.js';
import { ColumnLauncher } from '../../../src/devices/native/columns.js';
import { gather, scatterAdd } from '../../../src/devices/native/index-kernels.js';
import { fillRandom } from '../../../src/devices/native/random.js';
import { RowLauncher } from '../../../src/devices/native/rows.js';
import { addressOf, NativeBuffer, NativeRuntime } from '../../../src/devices/native/runtime.js';
import type { ColumnKernel, RowKernel } from '../../../src/kernels/kernel.js';

/** What of a device row, column, index and random kernels are. */
export type Kernels = Pick<
  Device,
  'allocate' | 'write' | 'read' | 'row' | 'column' | 'gather' | 'scatterAdd' | 'random' | 'close'
>;

export class NativeKernels implements Kernels {
  readonly runtime: NativeRuntime;
  readonly #rows: RowLauncher;
  readonly #columns: ColumnLauncher;

  private constructor(runtime: NativeRuntime) {
    this.runtime = runtime;
    this.#rows = new RowLauncher(runtime);
    this.#columns = new ColumnLauncher(runtime);
  }

  static async open(threads: number): Promise<NativeKernels> {
    return new NativeKernels(await NativeRuntime.open({ threads }));
  }

  allocate(type: StorageType, length: number): NativeBuffer {
    return new NativeBuffer(type, length, this.runtime.arena.allocate(4 * length));
  }

  write(values: ArrayLike<number>, to: View): void {
    const array = to.buffer.type === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
    this.runtime.inTurn(() => this.runtime.library.copyIn(addressOf(to), array, 4 * array.length));
  }

  async read(from: View): Promise<HostArray> {
    await this.runtime.settled();
    const length = from.shape.reduce((a, b) => a * b, 1);
    const result = from.buffer.type === 'int32' ? new Int32Array(length) : new Float32Array(length);
    this.runtime.library.copyOut(result, addressOf(from), 4 * length);
    return result;
  }

  row(kernel: RowKernel, operands: RowArguments): void {
    this.#rows.run(kernel, operands);
  }

  column(kernel: ColumnKernel, operands: RowArguments, accumulate: boolean): void {
    this.#columns.run(kernel, operands, accumulate);
  }

  gather(table: View, indices: View, output: View): void {
    gather(this.runtime, table, indices, output);
  }

  scatterAdd(source: View, indices: View, table: View): void {
    scatterAdd(this.runtime, source, indices, table);
  }

  random(distribution: 'uniform' | 'normal', key: RandomKey, output: View): void {
    fillRandom(this.runtime, distribution, key, output);
  }

  close(): Promise<void> {
    return this.runtime.close();
  }
}
