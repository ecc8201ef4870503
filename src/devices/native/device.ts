import { plural } from '../../base/plural.js';
import type { RandomKey } from '../../base/random.js';
import type { AttentionShape } from '../../kernels/attention.js';
import type { ColumnKernel, MapKernel, RowKernel } from '../../kernels/kernel.js';
import type { WindowShape } from '../../kernels/windows.js';
import { collapse } from '../collapse.js';
import type {
  AttentionGradients,
  AttentionViews,
  Device,
  DeviceBuffer,
  HostArray,
  MemoryStatistics,
  RowArguments,
  StorageType,
  View,
} from '../device.js';
import { attentionBackward, attentionForward } from './attention.js';
import { type BlasMatrix, blasMatmul } from './blas.js';
import { ColumnLauncher } from './columns.js';
import { gather, indicesChange, scatterAdd } from './index-kernels.js';
import { MapLauncher } from './maps.js';
import { matmul, multiplyPacked, packedNumbers, packRight, prefersOwn } from './matmul.js';
import { addressOf, HeldBuffer, NativeBuffer } from './memory.js';
import { fillRandom } from './random.js';
import { RowLauncher } from './rows.js';
import { type BakeOptions, type NativeOptions, NativeRuntime } from './runtime.js';
import { fold, unfold } from './windows.js';

/** The machine's own instructions: expressions printed as C and compiled, products by the system's BLAS. */
class NativeDevice implements Device {
  readonly name = 'native';
  readonly addressableBytes: number;
  readonly rehearse?: (work: () => Promise<unknown>) => Promise<void>;
  readonly #runtime: NativeRuntime;
  readonly #maps: MapLauncher;
  readonly #rows: RowLauncher;
  readonly #columns: ColumnLauncher;

  constructor(runtime: NativeRuntime) {
    this.#runtime = runtime;
    this.addressableBytes = runtime.arena.limit;
    if (runtime.isFixed) this.rehearse = (work) => runtime.rehearse(work);
    this.#maps = new MapLauncher(runtime);
    this.#rows = new RowLauncher(runtime);
    this.#columns = new ColumnLauncher(runtime);
  }

  get threads(): number {
    return this.#runtime.threads;
  }

  get description(): string {
    return `${this.#runtime.description}, ${plural(this.threads, 'thread')}`;
  }

  allocate(type: StorageType, length: number): DeviceBuffer {
    this.#runtime.requireOpen();
    return new NativeBuffer(type, length, this.#runtime.arena.allocate(4 * length));
  }

  free(buffer: DeviceBuffer): void {
    this.#runtime.arena.free(addressOf({ buffer, offset: 0, shape: [], strides: [] }));
  }

  memory(): MemoryStatistics {
    return this.#runtime.arena.statistics();
  }

  write(values: ArrayLike<number>, to: View): void {
    const runtime = this.#runtime;
    indicesChange(to);
    const address = addressOf(to);
    const Target = to.buffer.type === 'int32' ? Int32Array : Float32Array;
    // What waits needs a copy: the caller may change its values at once.
    const kept = values instanceof Target && runtime.isIdle ? values : Target.from(values);
    runtime.inTurn(() => runtime.library.copyIn(address, kept, kept.byteLength));
  }

  read(from: View): Promise<HostArray> {
    const { library } = this.#runtime;
    const [view = from] = collapse([from]);
    const address = addressOf(from);
    const length = from.shape.reduce((product, size) => product * size, 1);
    const result = from.buffer.type === 'int32' ? new Int32Array(length) : new Float32Array(length);
    const isPacked = view.shape.length === 1 && view.strides[0] === 1;
    return this.#runtime.inTurnAsync(() => {
      if (isPacked) library.copyOut(result, address, 4 * length);
      else if (length > 0) {
        const [shape, strides] = [Float64Array.from(view.shape), Float64Array.from(view.strides)];
        library.copyView(result, address, shape, strides, shape.length);
      }
      return result;
    });
  }

  synchronize(): Promise<void> {
    return this.#runtime.settled();
  }

  finish(): void {
    this.#runtime.finish();
  }

  map(kernel: MapKernel, inputs: readonly View[], scalars: readonly number[], outputs: readonly View[]): void {
    const views = collapse([...inputs, ...outputs]);
    if (views[0]?.shape.includes(0) === true) return;
    for (const output of outputs) indicesChange(output);
    this.#maps.run(kernel, views.slice(0, inputs.length), scalars, views.slice(inputs.length));
  }

  row(kernel: RowKernel, operands: RowArguments): void {
    this.#rows.run(kernel, operands);
  }

  column(kernel: ColumnKernel, operands: RowArguments, accumulate: boolean): void {
    this.#columns.run(kernel, operands, accumulate);
  }

  matmul(a: View, b: View, c: View, accumulate: boolean): void {
    const runtime = this.#runtime;
    const [batch = 1, m = 0, k = 0] = a.shape;
    const n = c.shape[2] ?? 0;
    const product = { batch, m, n, k, a: matrixOf(a), b: matrixOf(b), c: matrixOf(c), accumulate };
    if (b.buffer instanceof HeldBuffer) {
      multiplyPacked(runtime, product, b.buffer.address);
      return;
    }
    const mayDiffer = !runtime.deterministic && k > 0 && !prefersOwn(product, runtime.vectorBytes);
    if (!(mayDiffer && blasMatmul(runtime, product))) matmul(runtime, product);
  }

  hold(b: View): DeviceBuffer {
    const [k = 0, n = 0] = b.shape;
    const length = packedNumbers(k, n);
    const held = new HeldBuffer('float32', length, this.#runtime.arena.allocate(4 * length));
    packRight(this.#runtime, k, n, matrixOf({ ...b, strides: [0, ...b.strides] }), held.address);
    return held;
  }

  attention(shape: AttentionShape, views: AttentionViews): void {
    attentionForward(this.#runtime, shape, views);
  }

  attentionGradient(shape: AttentionShape, views: AttentionViews, gradients: AttentionGradients): void {
    attentionBackward(this.#runtime, shape, views, gradients);
  }

  gather(table: View, indices: View, output: View): void {
    gather(this.#runtime, table, indices, output);
  }

  scatterAdd(source: View, indices: View, table: View): void {
    scatterAdd(this.#runtime, source, indices, table);
  }

  unfold(shape: WindowShape, image: View, windows: View): void {
    unfold(this.#runtime, shape, image, windows);
  }

  fold(shape: WindowShape, windows: View, image: View, accumulate: boolean): void {
    fold(this.#runtime, shape, windows, image, accumulate);
  }

  random(distribution: 'uniform' | 'normal', key: RandomKey, output: View): void {
    fillRandom(this.#runtime, distribution, key, output);
  }

  async close(): Promise<void> {
    await this.#runtime.close();
  }
}

function matrixOf(view: View): BlasMatrix {
  const [batchStride = 0, rowStride = 0, columnStride = 0] = view.strides;
  return { address: addressOf(view), batchStride, rowStride, columnStride };
}

/**
 * Opens the native device.
 * @throws SluiceError `device` where the compiler, koffi or a private folder for compiled kernels is missing.
 */
export async function openNative(options: NativeOptions = {}): Promise<Device> {
  return new NativeDevice(await NativeRuntime.open(options));
}

/** A device that computes nothing; `made` resolves to the number of kernels that were asked for, when all are made. */
export async function bakeNative(bake: BakeOptions): Promise<{ device: Device; made: () => Promise<number> }> {
  const runtime = await NativeRuntime.open({ bake });
  return { device: new NativeDevice(runtime), made: () => runtime.made() };
}
