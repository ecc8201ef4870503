/** What a call asks of the machine, from its shapes alone: bytes that must be read or written once, and FLOPs. */
import type { AttentionShape } from '../kernels/attention.js';
import type { ColumnKernel, MapKernel, RowKernel } from '../kernels/kernel.js';
import { cost, exponentials } from '../scalar/lower.js';
import type { RowArguments, View } from './device.js';

export interface Work {
  /** Of the result, or what tells sizes apart. */
  readonly shape: readonly number[];
  readonly bytes: number;
  /** Special functions count as one each. */
  readonly flops: number;
  /** Exponentials and logarithms that are evaluated, once special functions are expanded. */
  readonly exponentials: number;
}

const bytesPerElement = 4;
const product = (sizes: readonly number[]): number => sizes.reduce((total, size) => total * size, 1);

/** Elements that a view shows, those that repeat counted once. */
const elementsOf = ({ shape, strides }: View): number =>
  shape.reduce((total, size, axis) => (strides[axis] === 0 ? total : total * size), 1);

const bytesOf = (...views: readonly View[]): number =>
  bytesPerElement * views.reduce((total, view) => total + elementsOf(view), 0);

type Kernel = MapKernel | RowKernel | ColumnKernel;
type Arithmetic = Pick<Work, 'flops' | 'exponentials'>;

const perElement = new WeakMap<Kernel, Arithmetic>();

/** What the expressions cost together over so many elements. */
function costOf(kernel: Kernel, elements: number): Arithmetic {
  let one = perElement.get(kernel);
  if (one === undefined) {
    const { operations, special } = cost(kernel.outputs);
    one = { flops: operations + special, exponentials: exponentials(kernel.outputs) };
    perElement.set(kernel, one);
  }
  return { flops: elements * one.flops, exponentials: elements * one.exponentials };
}

export function mapWork(kernel: MapKernel, inputs: readonly View[], outputs: readonly View[]): Work {
  const shape = outputs[0]?.shape ?? [];
  return { shape, bytes: bytesOf(...inputs, ...outputs), ...costOf(kernel, product(shape)) };
}

/** Of a row or column kernel; sums that are added to are read too. */
export function rowsWork(kernel: RowKernel | ColumnKernel, operands: RowArguments, accumulate = false): Work {
  const { rows, length, elements, columns, perRow, outputs } = operands;
  const added = accumulate ? outputs : [];
  return {
    shape: [rows, length],
    bytes: bytesOf(...elements, ...columns, ...perRow, ...outputs, ...added),
    ...costOf(kernel, rows * length),
  };
}

/** Shape [batch, m, n, k]. */
export function matmulWork(a: View, b: View, c: View, accumulate: boolean): Work {
  const [batch = 1, m = 1, k = 1] = a.shape;
  const n = c.shape[2] ?? 1;
  const added = accumulate ? [c] : [];
  return { shape: [batch, m, n, k], bytes: bytesOf(a, b, c, ...added), flops: 2 * batch * m * n * k, exponentials: 0 };
}

/** Products forward, and backward, where the scores are computed again. A causal half counts once. */
const attentionProducts = { forward: 2, backward: 5 } as const;

/** Shape [batch, queryLength, heads, headDim]. */
export function attentionWork(
  shape: AttentionShape,
  direction: keyof typeof attentionProducts,
  views: readonly View[],
): Work {
  const { batch, queryLength, keyLength, heads, headDim, causal } = shape;
  const scores = batch * heads * queryLength * keyLength * (causal ? 0.5 : 1);
  return {
    shape: [batch, queryLength, heads, headDim],
    bytes: bytesOf(...views),
    flops: 2 * headDim * scores * attentionProducts[direction],
    exponentials: scores,
  };
}

/** Of rows that are read (and added to) or written somewhere else. */
export const movedWork = (rows: View, indices: View, adds: boolean): Work => ({
  shape: rows.shape,
  bytes: bytesOf(indices) + (adds ? 3 : 2) * bytesOf(rows),
  flops: adds ? elementsOf(rows) : 0,
  exponentials: 0,
});

/** Of windows that are taken from images, or added up into them. */
export const windowsWork = (image: View, windows: View, adds: boolean, accumulate = false): Work => ({
  shape: windows.shape,
  bytes: bytesOf(windows, image, ...(accumulate ? [image] : [])),
  flops: adds ? elementsOf(windows) : 0,
  exponentials: 0,
});

export const writtenWork = (view: View): Work => ({
  shape: view.shape,
  bytes: bytesOf(view),
  flops: 0,
  exponentials: 0,
});
