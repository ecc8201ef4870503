/** Windows on the same memory: no copies, no kernels, and nothing for backward() to do. */
import { SluiceError, show } from '../../base/errors.js';
import {
  broadcastShapes,
  checkShape,
  dropAxes,
  expandLayout,
  insertAxis,
  permuteLayout,
  reshapeLayout,
  type Shape,
  sameShape,
  sizeOf,
  sliceLayout,
  toAxes,
  toAxis,
} from '../shape.js';
import type { Tensor } from '../tensor.js';
import { clone, layoutOf } from './copies.js';

export function transpose(x: Tensor, a: number, b: number): Tensor {
  const rank = x.shape.length;
  const [first, second] = [toAxis('transpose', a, rank), toAxis('transpose', b, rank)];
  const axes = x.shape.map((_, axis) => (axis === first ? second : axis === second ? first : axis));
  return x.look(permuteLayout(x, axes));
}

export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const rank = x.shape.length;
  const order = axes.map((axis) => toAxis('permute', axis, rank));
  if (order.length !== rank || new Set(order).size !== rank) {
    throw new SluiceError('shape', {
      rule: `permute names each of the ${rank} axes once`,
      received: axes,
      remedy: 'Use transpose() to exchange two axes and leave the others.',
    });
  }
  return x.look(permuteLayout(x, order));
}

/** The shape with a -1 filled in. */
function resolveShape(operation: string, x: Tensor, shape: Shape): Shape {
  const open = shape.indexOf(-1);
  const known = shape.reduce((product, size, axis) => (axis === open ? product : product * size), 1);
  const resolved = open < 0 ? shape : shape.with(open, x.size / known);
  const fits = resolved.every((size) => Number.isInteger(size) && size > 0) && sizeOf(resolved) === x.size;
  if (fits) return resolved;
  throw new SluiceError('shape', {
    rule: `${operation} keeps the ${x.size} elements of ${show(x.shape)}`,
    received: shape,
    remedy: 'One size may be -1, which stands for the rest.',
  });
}

/** Another shape over the same memory. */
export function view(x: Tensor, shape: Shape): Tensor {
  const resolved = resolveShape('view', x, shape);
  const layout = reshapeLayout(x, resolved);
  if (layout !== undefined) return x.look(layout);
  throw new SluiceError('shape', {
    rule: `view changes the shape without a copy, which ${show(x.shape)} with strides ${show(x.strides)} does not allow`,
    received: shape,
    remedy: 'Use reshape(), which copies where it must.',
  });
}

/** Another shape, over the same memory where that is possible. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  const resolved = resolveShape('reshape', x, shape);
  const layout = reshapeLayout(x, resolved);
  return layout === undefined ? clone(x, layoutOf(x), resolved) : x.look(layout);
}

const clamp = (index: number, size: number): number => Math.max(0, Math.min(size, index < 0 ? index + size : index));

/** Indices `start` to `end` (exclusive); negative ones count from the end, and both are cut to the axis. */
export function slice(x: Tensor, axis: number, start: number, end?: number): Tensor {
  const along = toAxis('slice', axis, x.shape.length);
  const size = x.shape[along] ?? 1;
  const [first, last] = [clamp(start, size), clamp(end ?? size, size)];
  if (Number.isInteger(first) && Number.isInteger(last) && first < last) {
    return x.look(sliceLayout(x, along, first, last));
  }
  throw new SluiceError('shape', {
    rule: `slice takes at least one index of axis ${axis}, which has ${size}`,
    received: [start, end ?? size],
    remedy: 'Choose whole numbers whose end comes after the start.',
  });
}

/** `length` indices from `start` on; unlike slice, they must all be there. */
export function narrow(x: Tensor, axis: number, start: number, length: number): Tensor {
  const along = toAxis('narrow', axis, x.shape.length);
  const size = x.shape[along] ?? 1;
  if (Number.isInteger(start) && Number.isInteger(length) && start >= 0 && length > 0 && start + length <= size) {
    return x.look(sliceLayout(x, along, start, start + length));
  }
  throw new SluiceError('shape', {
    rule: `narrow takes indices of axis ${axis}, which has ${size}`,
    received: `${length} from ${start} on`,
    remedy: 'Use slice(), which cuts a range to the axis.',
  });
}

/** One index of an axis, which goes. */
export function select(x: Tensor, axis: number, index: number): Tensor {
  const along = toAxis('select', axis, x.shape.length);
  const size = x.shape[along] ?? 1;
  const position = index < 0 ? index + size : index;
  if (!Number.isInteger(position) || position < 0 || position >= size) {
    throw new SluiceError('shape', {
      rule: `select takes an index of axis ${axis}, which has ${size}`,
      received: index,
      remedy: 'Count from 0 on, or from -1 back.',
    });
  }
  return x.look(dropAxes(sliceLayout(x, along, position, position + 1), new Set([along])));
}

/** Equal parts along an axis. */
export function chunk(x: Tensor, count: number, axis: number): Tensor[] {
  const along = toAxis('chunk', axis, x.shape.length);
  const size = x.shape[along] ?? 1;
  if (!Number.isInteger(count) || count < 1 || size % count !== 0) {
    throw new SluiceError('shape', {
      rule: `chunk splits an axis into equal parts, and axis ${axis} has ${size}`,
      received: `${count} parts`,
      remedy: 'Use narrow() for parts of different lengths.',
    });
  }
  const length = size / count;
  return Array.from({ length: count }, (_, i) => x.look(sliceLayout(x, along, i * length, (i + 1) * length)));
}

/** Repeats axes of size 1, and puts axes in front; -1 leaves a size as it is. */
export function expand(x: Tensor, shape: Shape): Tensor {
  const added = shape.length - x.shape.length;
  const wanted = shape.map((size, axis) => (size === -1 && axis >= added ? (x.shape[axis - added] ?? 1) : size));
  checkShape('expand', wanted);
  if (added >= 0 && sameShape(broadcastShapes('expand', x.shape, wanted), wanted)) {
    return x.look(expandLayout(x, wanted));
  }
  throw new SluiceError('shape', {
    rule: `expand repeats axes of size 1 of ${show(x.shape)}, and puts axes in front`,
    received: shape,
    remedy: 'Use unsqueeze() for an axis elsewhere, or concat() to repeat a longer one.',
  });
}

export function unsqueeze(x: Tensor, axis: number): Tensor {
  return x.look(insertAxis(x, toAxis('unsqueeze', axis, x.shape.length + 1)));
}

/** Without the axes named, which have size 1; without all axes of size 1 when none is named. */
export function squeeze(x: Tensor, axes?: number | readonly number[]): Tensor {
  const single = x.shape.flatMap((size, axis) => (size === 1 ? [axis] : []));
  const named = axes === undefined ? single : toAxes('squeeze', axes, x.shape.length);
  const wide = named.find((axis) => x.shape[axis] !== 1);
  if (wide === undefined) return x.look(dropAxes(x, new Set(named)));
  throw new SluiceError('shape', {
    rule: `squeeze removes axes of size 1, and axis ${wide} has ${x.shape[wide]}`,
    received: x.shape,
    remedy: 'Use select() to take one index of it, or reshape() to merge axes.',
  });
}
