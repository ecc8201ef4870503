import { SluiceError } from '../base/errors.js';

/** Shapes and strides as values: nothing here knows of tensors or devices. */
export type Shape = readonly number[];

/** Where the elements of a tensor are in its buffer; all in elements. A stride of 0 repeats. */
export interface Layout {
  readonly shape: Shape;
  readonly strides: readonly number[];
  readonly offset: number;
}

export function sizeOf(shape: Shape): number {
  let product = 1;
  for (const size of shape) product *= size;
  return product;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a === b) return true;
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/** The strides of a tensor whose elements lie side by side in row-major order. */
export function packedStrides(shape: Shape): number[] {
  const strides: number[] = new Array(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] ?? 1;
  }
  return strides;
}

export const packed = (shape: Shape, offset = 0): Layout => ({ shape, strides: packedStrides(shape), offset });

export function isPacked({ shape, strides }: Layout): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Whether the elements along an axis, the last by default, lie side by side. */
export const stepsByOne = ({ shape, strides }: Layout, axis = -1): boolean =>
  shape.at(axis) === 1 || strides.at(axis) === 1;

/** Whether two indices name one element. */
export function repeats({ shape, strides }: Layout): boolean {
  for (let axis = 0; axis < shape.length; axis++) if (strides[axis] === 0 && shape[axis] !== 1) return true;
  return false;
}

/** Refuses sizes that are not positive integers. */
export function checkShape(operation: string, shape: Shape): void {
  if (shape.every((size) => Number.isSafeInteger(size) && size > 0)) return;
  throw new SluiceError('shape', {
    rule: `${operation} takes a shape of positive integers`,
    received: shape,
    remedy: 'Round the sizes, and leave out what has no elements.',
  });
}

/** A negative axis counts from the end. */
export function toAxis(operation: string, axis: number, rank: number): number {
  const positive = axis < 0 ? axis + rank : axis;
  if (Number.isInteger(axis) && positive >= 0 && positive < rank) return positive;
  const range = rank === 0 ? 'has no axes' : `has axes ${-rank} to ${rank - 1}`;
  throw new SluiceError('shape', {
    rule: `the tensor given to ${operation} ${range}`,
    received: axis,
    remedy: rank === 0 ? 'Give it one with unsqueeze(0).' : 'Count from 0 at the left, or from -1 at the right.',
  });
}

/** The axes named, without repetition, in ascending order; all of them when none is named. */
export function toAxes(operation: string, axes: number | readonly number[] | undefined, rank: number): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const named = (typeof axes === 'number' ? [axes] : axes).map((axis) => toAxis(operation, axis, rank));
  if (new Set(named).size !== named.length) {
    throw new SluiceError('shape', {
      rule: `${operation} names each axis once`,
      received: axes,
      remedy: 'Leave the repeated one out: negative axes count from the right.',
    });
  }
  return named.sort((a, b) => a - b);
}

/**
 * The shape that all broadcast to: axes are matched from the right, and a size of 1 repeats.
 * @throws SluiceError `shape` where two sizes differ and neither is 1.
 */
export function broadcastShapes(operation: string, ...shapes: readonly Shape[]): Shape {
  const [first = []] = shapes;
  if (shapes.every((shape) => sameShape(shape, first))) return first;
  const rank = Math.max(...shapes.map((shape) => shape.length));
  const result: number[] = new Array(rank).fill(1);
  for (const shape of shapes) {
    for (let axis = 0; axis < shape.length; axis++) {
      const position = axis + rank - shape.length;
      const [size = 1, known = 1] = [shape[axis], result[position]];
      if (size === 1 || size === known) continue;
      if (known !== 1) throw broadcastError(operation, shapes, position - rank, known, size);
      result[position] = size;
    }
  }
  return result;
}

function broadcastError(
  operation: string,
  shapes: readonly Shape[],
  axis: number,
  one: number,
  other: number,
): SluiceError {
  return new SluiceError('shape', {
    rule: `${operation} expects shapes that are equal, or 1, axis by axis from the right`,
    received: shapes,
    remedy: `Axis ${axis} is ${one} in one and ${other} in another: is an operand outside the brackets it belongs in? Else reshape, transpose or expand one.`,
  });
}

/** The layout with sizes of 1 (and missing axes in front) repeated; the shape must be one it broadcasts to. */
export function expandLayout(layout: Layout, shape: Shape): Layout {
  if (sameShape(layout.shape, shape)) return layout;
  const added = shape.length - layout.shape.length;
  const strides: number[] = new Array(shape.length).fill(0);
  for (let axis = Math.max(0, added); axis < shape.length; axis++) {
    const repeated = layout.shape[axis - added] === 1 && shape[axis] !== 1;
    if (!repeated) strides[axis] = layout.strides[axis - added] ?? 0;
  }
  return { shape, strides, offset: layout.offset };
}

export function permuteLayout(layout: Layout, axes: readonly number[]): Layout {
  return {
    shape: axes.map((axis) => layout.shape[axis] ?? 1),
    strides: axes.map((axis) => layout.strides[axis] ?? 1),
    offset: layout.offset,
  };
}

/** Indices `start` to `end` (exclusive) of one axis. */
export function sliceLayout(layout: Layout, axis: number, start: number, end: number): Layout {
  return {
    shape: layout.shape.with(axis, end - start),
    strides: layout.strides,
    offset: layout.offset + start * (layout.strides[axis] ?? 0),
  };
}

/** Without the axes whose number is in the set. */
export function dropAxes(layout: Layout, dropped: ReadonlySet<number>): Layout {
  const keep = (_: number, axis: number): boolean => !dropped.has(axis);
  return { shape: layout.shape.filter(keep), strides: layout.strides.filter(keep), offset: layout.offset };
}

/** A new axis of size 1 before the given one. */
export const insertAxis = (layout: Layout, axis: number): Layout => ({
  shape: layout.shape.toSpliced(axis, 0, 1),
  strides: layout.strides.toSpliced(axis, 0, 1),
  offset: layout.offset,
});

/** The same elements under another shape of equal size, or undefined where that takes a copy. */
export function reshapeLayout(layout: Layout, shape: Shape): Layout | undefined {
  if (isPacked(layout)) return packed(shape, layout.offset);
  const old = layout.shape.flatMap((size, axis) => (size === 1 ? [] : [{ size, stride: layout.strides[axis] ?? 0 }]));
  const strides: number[] = new Array(shape.length).fill(1);
  let axis = shape.length - 1;
  for (let group = old.length - 1; group >= 0; ) {
    // A group: neighbouring old axes that one stride walks through.
    const stride = old[group]?.stride ?? 0;
    let size = old[group]?.size ?? 1;
    group--;
    while (group >= 0 && old[group]?.stride === size * stride) {
      size *= old[group]?.size ?? 1;
      group--;
    }
    let filled = 1;
    while (filled < size && axis >= 0) {
      strides[axis] = filled * stride;
      filled *= shape[axis] ?? 1;
      axis--;
    }
    if (filled !== size) return undefined;
  }
  return { shape, strides, offset: layout.offset };
}

/** The layout as rows of unit stride, [rows, length], where it is that; rows may repeat. */
export function asMatrix(layout: Layout): Layout | undefined {
  const length = layout.shape.at(-1) ?? 1;
  const rows = sizeOf(layout.shape) / length;
  const matrix = reshapeLayout(layout, [rows, length]);
  return matrix !== undefined && (length === 1 || matrix.strides[1] === 1) ? matrix : undefined;
}

/**
 * Whether two layouts of one buffer surely share no element: decided where they step alike (the halves of an axis,
 * the heads of a projection); false otherwise.
 */
export function areDisjoint(a: Layout, b: Layout): boolean {
  if (a.shape.length !== b.shape.length) return false;
  const axes = a.shape
    .map((size, axis) => ({ size, other: b.shape[axis] ?? 1, stride: a.strides[axis] ?? 0, axis }))
    .filter(({ size, other }) => size > 1 || other > 1)
    .sort((one, other) => other.stride - one.stride);
  if (axes.some(({ stride, axis }) => stride <= 0 || stride !== b.strides[axis])) return false;
  /** Whether some index differences, from the given axis on, span the distance. */
  const reaches = (distance: number, from: number): boolean => {
    const current = axes[from];
    if (current === undefined) return distance === 0;
    const rest = axes.slice(from + 1);
    const up = rest.reduce((sum, { size, stride }) => sum + (size - 1) * stride, 0);
    const down = rest.reduce((sum, { other, stride }) => sum + (other - 1) * stride, 0);
    const least = Math.max(1 - current.other, Math.ceil((distance - up) / current.stride));
    const most = Math.min(current.size - 1, Math.floor((distance + down) / current.stride));
    for (let d = least; d <= most; d++) if (reaches(distance - d * current.stride, from + 1)) return true;
    return false;
  };
  return !reaches(b.offset - a.offset, 0);
}
