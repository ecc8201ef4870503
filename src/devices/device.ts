import { SluiceError } from '../base/errors.js';
import type { RandomKey } from '../base/random.js';
import type { AttentionShape } from '../kernels/attention.js';
import type { ColumnKernel, MapKernel, RowKernel } from '../kernels/kernel.js';
import type { WindowShape } from '../kernels/windows.js';

/** How values are stored; kernels compute in a type of their own. `reference` stores float32 as float64. */
export const storageTypes = ['float32', 'int32'] as const;
export type StorageType = (typeof storageTypes)[number];

export type HostArray = Float32Array | Float64Array | Int32Array;

/** A block of a device's memory. Only its device looks inside. */
export interface DeviceBuffer {
  readonly type: StorageType;
  /** In elements. */
  readonly length: number;
  readonly bytes: number;
}

/** A strided window into a buffer; offset and strides in elements, a stride of 0 repeats. */
export interface View {
  readonly buffer: DeviceBuffer;
  readonly offset: number;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
}

export interface MemoryStatistics {
  readonly liveBytes: number;
  readonly peakBytes: number;
  /** What the device holds from the system, live or ready for reuse. */
  readonly reservedBytes: number;
}

/** The operands of a row or column kernel, in the order of the kernel's names; scalars by value. */
export interface RowArguments {
  readonly rows: number;
  readonly length: number;
  /** [rows, length] with unit stride along the row. */
  readonly elements: readonly View[];
  /** [length], unit stride. */
  readonly columns: readonly View[];
  /** [rows], unit stride. */
  readonly perRow: readonly View[];
  readonly scalars: readonly number[];
  readonly outputs: readonly View[];
}

/** Views of [batch, time, heads, headDim] with unit stride in the last axis. */
export interface AttentionViews {
  readonly query: View;
  readonly key: View;
  readonly value: View;
  readonly output: View;
  /** log(sum(exp(scores))) of each query, [batch, heads, queryLength], contiguous. */
  readonly logSumExp: View;
  /**
   * int32 [batch, queryLength, 2], contiguous: the first key that each query sees and the one after the last; without
   * it, all. A query that sees none gives zeros, in the gradients too.
   */
  readonly ranges?: View;
}

export interface AttentionGradients {
  readonly output: View;
  readonly query: View;
  readonly key: View;
  readonly value: View;
}

/**
 * What a device does. Work is queued in the order of the calls; only `read` and `synchronize` wait for it.
 * Callers have checked shapes: a device may assume that views agree.
 */
export interface Device {
  /** As it is asked for: `native`, `wasm`, `reference`. */
  readonly name: string;
  /** What it found: engine, instruction sets, threads; one line. */
  readonly description: string;
  readonly threads: number;
  /** The most memory that it can address; without it, what the machine has. */
  readonly addressableBytes?: number;
  /** It walks expressions instead of compiling them: for small sizes only. */
  readonly isInterpreted?: boolean;

  /** Memory whose contents are undefined. Throws SluiceError `memory` when there is no more. */
  allocate(type: StorageType, length: number): DeviceBuffer;
  /** Gives a buffer back for reuse; using it afterwards is the caller's fault. */
  free(buffer: DeviceBuffer): void;
  memory(): MemoryStatistics;

  /** Copies host values into a contiguous view. */
  write(values: ArrayLike<number>, to: View): void;
  /** A copy of a view's values in row-major order. */
  read(from: View): Promise<HostArray>;
  /** Waits until everything queued is done. */
  synchronize(): Promise<void>;
  /** The same while nothing else happens, so that a profile can time call by call; only where calls return before they are done. */
  finish?(): void;

  /** Elementwise expressions; every view has the outputs' shape. An output may be one of the inputs. */
  map(kernel: MapKernel, inputs: readonly View[], scalars: readonly number[], outputs: readonly View[]): void;
  /** Expressions with reductions along the row. An output may be one of the element inputs. */
  row(kernel: RowKernel, operands: RowArguments): void;
  /** Sums over rows, in an order that does not depend on the number of threads. */
  column(kernel: ColumnKernel, operands: RowArguments, accumulate: boolean): void;
  /** c = a b, or c += a b: a is [batch, m, k], b [batch, k, n], c [batch, m, n]; any strides for a and b, unit last stride for c. */
  matmul(a: View, b: View, c: View, accumulate: boolean): void;
  /**
   * A matrix b [k, n] in the order in which products read it: the buffer in place of b's makes it the right operand of
   * matmul (batch 1) as it was then, for many products with few rows each. Give it back with `free`. Optional: without
   * it b itself serves.
   */
  hold?(b: View): DeviceBuffer;
  attention(shape: AttentionShape, views: AttentionViews): void;
  /** Gradients of query, key and value (overwritten) from the output's. */
  attentionGradient(shape: AttentionShape, views: AttentionViews, gradients: AttentionGradients): void;
  /** output[i, :] = table[indices[i], :]. */
  gather(table: View, indices: View, output: View): void;
  /** table[indices[i], :] += source[i, :], in the order of i. */
  scatterAdd(source: View, indices: View, table: View): void;
  /**
   * The windows of images [images, channels, height, width], as [channels, kernelHeight, kernelWidth, images, rows,
   * columns]; any strides.
   */
  unfold(shape: WindowShape, image: View, windows: View): void;
  /** Adds the elements of windows to the pixels that `unfold` took them from; else to 0. */
  fold(shape: WindowShape, windows: View, image: View, accumulate: boolean): void;
  /** Uniform in [0, 1) or standard normal; element i depends on the key and i alone. Contiguous. */
  random(distribution: 'uniform' | 'normal', key: RandomKey, output: View): void;

  /** Ends workers and gives the memory back. What is asked of it afterwards throws `closedError`. */
  close(): Promise<void>;
}

/** What a device answers after close(). */
export const closedError = (device: string): SluiceError =>
  new SluiceError('device', {
    rule: `the ${device} device is used before close()`,
    remedy: 'Close it after the last use of its tensors, or open it again.',
  });
