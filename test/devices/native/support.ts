import type { RowArguments, View } from '../../../src/devices/device.js';
import { RowLauncher } from '../../../src/devices/native/rows.js';
import { addressOf, NativeBuffer, NativeRuntime } from '../../../src/devices/native/runtime.js';
import type { RowKernel } from '../../../src/kernels/kernel.js';

export class Shim {
  readonly runtime: NativeRuntime;
  readonly rows: RowLauncher;
  constructor(runtime: NativeRuntime) {
    this.runtime = runtime;
    this.rows = new RowLauncher(runtime);
  }
  static async open(threads: number): Promise<Shim> {
    return new Shim(await NativeRuntime.open({ threads }));
  }
  allocate(type: 'float32' | 'int32', length: number): NativeBuffer {
    return new NativeBuffer(type, length, this.runtime.arena.allocate(4 * length));
  }
  write(values: ArrayLike<number>, to: View): void {
    const array = to.buffer.type === 'int32' ? Int32Array.from(values) : Float32Array.from(values);
    this.runtime.inTurn(() => this.runtime.library.copyIn(addressOf(to), array, 4 * array.length));
  }
  async read(from: View): Promise<Float32Array> {
    await this.runtime.settled();
    const result = new Float32Array(from.shape.reduce((a, b) => a * b, 1));
    this.runtime.library.copyOut(result, addressOf(from), 4 * result.length);
    return result;
  }
  row(kernel: RowKernel, operands: RowArguments): void {
    this.rows.run(kernel, operands);
  }
}
