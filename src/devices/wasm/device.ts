import { plural } from '../../base/plural.js';
import { type RandomKey, randomNormal, randomUniform } from '../../base/random.js';
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
import {
  type AttentionForwardOptions,
  type AttentionOperand,
  attentionBackward,
  attentionForward,
} from './attention.js';
import { ColumnLauncher } from './column.js';
import { gather, scatterAdd } from './index-kernels.js';
import { MapLauncher } from './map.js';
import { heldBytes, holdRight, type MatrixOperand, matmul, multiplyHeld } from './matmul.js';
import { addressOf, HeldBuffer, WasmBuffer } from './memory.js';
import { fillUniform, uniformsPerItem } from './random.js';
import { RowLauncher } from './row.js';
import { WasmRuntime, type WasmRuntimeOptions } from './runtime.js';
import { fold, unfold } from './windows.js';

/** The device that needs nothing but the engine: SIMD modules made at run time over one (shared) memory. */
class WasmDevice implements Device {
  readonly name = 'wasm';
  readonly addressableBytes: number;
  readonly #runtime: WasmRuntime;
  readonly #maps: MapLauncher;
  readonly #rows: RowLauncher;
  readonly #columns: ColumnLauncher;

  constructor(runtime: WasmRuntime) {
    this.#runtime = runtime;
    this.addressableBytes = runtime.arena.limit;
    this.#maps = new MapLauncher(runtime);
    this.#rows = new RowLauncher(runtime);
    this.#columns = new ColumnLauncher(runtime);
  }

  get threads(): number {
    return this.#runtime.threads;
  }

  get description(): string {
    const { relaxed, threads, threadsWanted } = this.#runtime;
    const missing = threads < threadsWanted ? ` (${threadsWanted} asked for: the others could not start)` : '';
    return `WebAssembly SIMD${relaxed ? ' (relaxed)' : ''}, ${plural(threads, 'thread')}${missing}`;
  }

  allocate(type: StorageType, length: number): DeviceBuffer {
    this.#runtime.requireOpen();
    return new WasmBuffer(type, length, this.#runtime.arena.allocate(4 * length));
  }

  free(buffer: DeviceBuffer): void {
    this.#runtime.arena.free(pointerOf(buffer));
  }

  memory(): MemoryStatistics {
    return this.#runtime.arena.statistics();
  }

  write(values: ArrayLike<number>, to: View): void {
    this.#host(to).set(values);
  }

  async read(from: View): Promise<HostArray> {
    const isPacked = from.strides.every(
      (stride, axis) => stride === packedStride(from.shape, axis) || from.shape[axis] === 1,
    );
    if (isPacked) return this.#host(from).slice();
    this.#runtime.requireOpen();
    const [view = from] = collapse([from]);
    const source = from.buffer.type === 'int32' ? this.#runtime.arena.i32 : this.#runtime.arena.f32;
    const result = from.buffer.type === 'int32' ? new Int32Array(sizeOf(from)) : new Float32Array(sizeOf(from));
    const start = addressOf(from) / 4;
    let next = 0;
    const walk = (axis: number, at: number): void => {
      if (axis === view.shape.length) {
        result[next++] = source[at] ?? 0;
        return;
      }
      for (let i = 0; i < (view.shape[axis] ?? 0); i++) walk(axis + 1, at + i * (view.strides[axis] ?? 0));
    };
    walk(0, start);
    return result;
  }

  async synchronize(): Promise<void> {}

  map(kernel: MapKernel, inputs: readonly View[], scalars: readonly number[], outputs: readonly View[]): void {
    const views = collapse([...inputs, ...outputs]);
    if (views[0]?.shape.includes(0) === true) return;
    this.#maps.run(kernel, views.slice(0, inputs.length), scalars, views.slice(inputs.length));
  }

  row(kernel: RowKernel, operands: RowArguments): void {
    this.#rows.run(kernel, operands);
  }

  column(kernel: ColumnKernel, operands: RowArguments, accumulate: boolean): void {
    this.#columns.run(kernel, operands, accumulate);
  }

  matmul(a: View, b: View, c: View, accumulate: boolean): void {
    const [batch = 1, m = 0, k = 0] = a.shape;
    const n = c.shape[2] ?? 0;
    const product = { batch, m, n, k, a: matrixOf(a), b: matrixOf(b), c: matrixOf(c), accumulate };
    if (b.buffer instanceof HeldBuffer) multiplyHeld(this.#runtime, product, b.buffer.pointer);
    else matmul(this.#runtime, product);
  }

  hold(b: View): DeviceBuffer {
    const [k = 0, n = 0] = b.shape;
    const bytes = heldBytes(k, n);
    const held = new HeldBuffer('float32', bytes / 4, this.#runtime.arena.allocate(bytes));
    const none = { pointer: 0, batchStride: 0, rowStride: 0, columnStride: 0 };
    const right = matrixOf({ ...b, strides: [0, ...b.strides] });
    holdRight(this.#runtime, { batch: 1, m: 1, n, k, a: none, b: right, c: none }, held.pointer);
    return held;
  }

  attention(shape: AttentionShape, views: AttentionViews): void {
    attentionForward(this.#runtime, attentionOf(shape, views));
  }

  attentionGradient(shape: AttentionShape, views: AttentionViews, gradients: AttentionGradients): void {
    attentionBackward(this.#runtime, {
      ...attentionOf(shape, views),
      outputGradient: headsOf(gradients.output),
      queryGradient: headsOf(gradients.query),
      keyGradient: headsOf(gradients.key),
      valueGradient: headsOf(gradients.value),
    });
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
    const values = this.#host(output);
    const draw = distribution === 'uniform' ? randomUniform : randomNormal;
    const items = distribution === 'uniform' ? Math.floor(values.length / uniformsPerItem) : 0;
    if (items > 0) fillUniform(this.#runtime, key, addressOf(output), items);
    for (let i = items * uniformsPerItem; i < values.length; i++) values[i] = draw(key, i);
  }

  async close(): Promise<void> {
    await this.#runtime.close();
  }

  /** The host's window on a contiguous view. */
  #host(view: View): Float32Array | Int32Array {
    this.#runtime.requireOpen();
    const { arena } = this.#runtime;
    const start = addressOf(view) / 4;
    return (view.buffer.type === 'int32' ? arena.i32 : arena.f32).subarray(start, start + sizeOf(view));
  }
}

const pointerOf = (buffer: DeviceBuffer): number => addressOf({ buffer, offset: 0, shape: [], strides: [] });

const sizeOf = ({ shape }: View): number => shape.reduce((product, size) => product * size, 1);

const packedStride = (shape: readonly number[], axis: number): number =>
  shape.slice(axis + 1).reduce((product, size) => product * size, 1);

function matrixOf(view: View): MatrixOperand {
  const [batchStride = 0, rowStride = 0, columnStride = 0] = view.strides;
  return { pointer: addressOf(view), batchStride, rowStride, columnStride };
}

function headsOf(view: View): AttentionOperand {
  const [batchStride = 0, timeStride = 0, headStride = 0] = view.strides;
  return { pointer: addressOf(view), batchStride, timeStride, headStride };
}

function attentionOf(shape: AttentionShape, views: AttentionViews): AttentionForwardOptions {
  const { query, key, value, output, logSumExp, ranges } = views;
  const operands = { query: headsOf(query), key: headsOf(key), value: headsOf(value), output: headsOf(output) };
  return { ...shape, ...operands, logSumExp: addressOf(logSumExp), ...(ranges && { ranges: addressOf(ranges) }) };
}

/**
 * Opens the wasm device.
 * @throws SluiceError `device` where the engine has no WebAssembly SIMD.
 */
export async function openWasm(options: WasmRuntimeOptions = {}): Promise<Device> {
  return new WasmDevice(await WasmRuntime.create(options));
}
