/** Plain work on views, without tensors or graph: what gradients and copies are made of. */
import type { Device, View } from '../devices/device.js';
import { columnKernel, mapKernel, rowKernel } from '../kernels/kernel.js';
import { named } from '../kernels/names.js';
import { variable } from '../scalar/expression.js';
import { isPacked, type Layout, packed, permuteLayout, reshapeLayout, type Shape, sizeOf } from './shape.js';

const x = variable('x');
const scale = variable('scale');
const previous = variable('previous');

const fillKernel = named(mapKernel({ inputs: [], scalars: ['scale'], outputs: [scale] }), 'fill');
const copyKernel = named(mapKernel({ inputs: ['x'], scalars: [], outputs: [x] }), 'copy');
const scaleKernel = mapKernel({ inputs: ['x'], scalars: ['scale'], outputs: [x.mul(scale)] });
const addKernel = mapKernel({ inputs: ['x', 'previous'], scalars: [], outputs: [x.add(previous)] });
const addScaledKernel = mapKernel({
  inputs: ['x', 'previous'],
  scalars: ['scale'],
  outputs: [x.mul(scale).add(previous)],
});
const rowSum = rowKernel({ elements: ['x'], scalars: ['scale'], outputs: [x.sum().mul(scale)] });
const columnSum = columnKernel({ elements: ['x'], scalars: ['scale'], outputs: [x.mul(scale)] });

export const viewOf = (view: View, layout: Layout): View => ({
  buffer: view.buffer,
  offset: layout.offset,
  shape: layout.shape,
  strides: layout.strides,
});

export const fill = (device: Device, to: View, value: number): void => device.map(fillKernel, [], [value], [to]);

/** to = scale from + previous; `previous` may be `to` itself. All of one shape. */
export function combine(device: Device, from: View, to: View, previous: View | undefined, factor = 1): void {
  if (previous === undefined) {
    if (factor === 1) device.map(copyKernel, [from], [], [to]);
    else device.map(scaleKernel, [from], [factor], [to]);
  } else if (factor === 1) device.map(addKernel, [from, previous], [], [to]);
  else device.map(addScaledKernel, [from, previous], [factor], [to]);
}

/** Runs with a packed buffer that goes back afterwards. */
export function withTemporary<T>(device: Device, shape: Shape, body: (view: View) => T): T {
  const buffer = device.allocate('float32', sizeOf(shape));
  try {
    return body({ buffer, ...packed(shape) });
  } finally {
    device.free(buffer);
  }
}

/** Rows of unit stride whose leading axes are the first `split` ones, where the view is that. */
export function matrixView(view: View, split: number): View | undefined {
  const length = sizeOf(view.shape.slice(split));
  const layout = reshapeLayout(view, [sizeOf(view.shape) / length, length]);
  return layout !== undefined && (length === 1 || layout.strides[1] === 1) ? viewOf(view, layout) : undefined;
}

/**
 * to = factor sum(from) or to += factor sum(from), over the axes named; `to` has the other axes, in order. The order
 * of the additions depends on shapes alone.
 */
export function sumInto(
  device: Device,
  from: View,
  axes: readonly number[],
  to: View,
  accumulate: boolean,
  factor = 1,
): void {
  const kept = from.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const columns = axes.every((axis, i) => axis === i) ? matrixView(from, axes.length) : undefined;
  if (columns !== undefined && (columns.shape[1] ?? 1) > 1 && isPacked(to)) {
    sumColumns(device, columns, to, accumulate, factor);
    return;
  }
  if (accumulate || !isPacked(to)) {
    withTemporary(device, to.shape, (sum) => {
      sumInto(device, from, axes, sum, false, factor);
      combine(device, sum, to, accumulate ? to : undefined);
    });
    return;
  }
  const ordered = viewOf(from, permuteLayout(from, [...kept, ...axes]));
  const rows = matrixView(ordered, kept.length);
  if (rows !== undefined) sumRows(device, rows, to, factor);
  else {
    withTemporary(device, ordered.shape, (copy) => {
      combine(device, ordered, copy, undefined);
      const packedRows = matrixView(copy, kept.length);
      if (packedRows !== undefined) sumRows(device, packedRows, to, factor);
    });
  }
}

function sumColumns(device: Device, matrix: View, to: View, accumulate: boolean, factor: number): void {
  const [rows = 1, length = 1] = matrix.shape;
  const outputs = [viewOf(to, packed([length], to.offset))];
  const operands = { rows, length, elements: [matrix], columns: [], perRow: [], scalars: [factor], outputs };
  device.column(columnSum, operands, accumulate);
}

/** A long row is summed in pieces first: rounding grows slowly, and threads share the work. */
function sumRows(device: Device, matrix: View, to: View, factor: number): void {
  const [rows = 1, length = 1] = matrix.shape;
  const piece = rows < 16 && length > 4096 ? pieceOf(length) : length;
  const pieces = length / piece;
  const split = pieces > 1 ? reshapeLayout(matrix, [rows * pieces, piece]) : undefined;
  if (split === undefined) {
    const outputs = [viewOf(to, packed([rows], to.offset))];
    device.row(rowSum, { rows, length, elements: [matrix], columns: [], perRow: [], scalars: [factor], outputs });
    return;
  }
  withTemporary(device, [rows, pieces], (partial) => {
    sumRows(device, viewOf(matrix, split), partial, 1);
    sumRows(device, partial, to, factor);
  });
}

/** The largest divisor up to 2048, or the length where it has none of use. */
function pieceOf(length: number): number {
  for (let piece = 2048; piece >= 64; piece--) if (length % piece === 0) return piece;
  return length;
}
