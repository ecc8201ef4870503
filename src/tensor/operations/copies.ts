import { SluiceError, show } from '../../base/errors.js';
import { startNode } from '../autograd.js';
import { combine, viewOf } from '../compute.js';
import { contribute } from '../gradients.js';
import { internal } from '../scopes.js';
import { isPacked, type Layout, packed, type Shape, sameShape, sliceLayout, toAxis } from '../shape.js';
import type { Release } from '../storage.js';
import type { Tensor } from '../tensor.js';
import { checkDevice } from './operands.js';

/** The values that a layout of the tensor's memory shows, in new, packed memory of a shape of that size. */
export function clone(x: Tensor, layout: Layout = layoutOf(x), shape: Shape = layout.shape): Tensor {
  const node = startNode('clone', [x]);
  const result = x.make(x.dtype, shape, node?.output(shape));
  const flat = packed(layout.shape);
  combine(x.device, viewOf(x.strided(), layout), viewOf(result.strided(), flat), undefined);
  const { source, storage } = x;
  if (node !== undefined && source !== undefined) {
    node.finish([], ([cotangent]) => {
      if (cotangent !== undefined) contribute(storage.tracker, { source, layout }, viewOf(cotangent.view, flat));
    });
  }
  return result;
}

/** Runs an operation on the tensor, or on a packed copy (of a layout of it) where it does not suit as it is. */
export function withSuited<T>(
  x: Tensor,
  suits: boolean,
  operation: (suited: Tensor) => T,
  layout: Layout = layoutOf(x),
): T {
  if (suits) return operation(x);
  const copy = clone(x, layout);
  try {
    return operation(copy);
  } finally {
    copy.letGo(temporary);
  }
}

/** Why an operation gives back what it made for itself. */
export const temporary: Release = { by: 'the operation that made it', remedy: 'This is a bug: please report it.' };

export const layoutOf = ({ shape, strides, offset }: Layout): Layout => ({ shape, strides, offset });

/** Joins tensors along an axis; the other axes must be equal. */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const [first] = tensors;
  if (first === undefined)
    throw new SluiceError('argument', {
      rule: 'concat takes at least one tensor',
      remedy: 'Leave the call out where there is nothing to join.',
    });
  checkDevice('concat', first, tensors);
  const along = toAxis('concat', axis, first.shape.length);
  if (tensors.some(({ dtype }) => dtype !== first.dtype)) {
    throw new SluiceError('argument', {
      rule: 'concat expects one dtype',
      received: tensors.map(({ dtype }) => dtype),
      remedy: 'Convert the others: zeros(device, x.shape).write(x) has the dtype float32.',
    });
  }
  for (const { shape } of tensors) {
    const fits = shape.length === first.shape.length && sameShape(shape.with(along, 1), first.shape.with(along, 1));
    if (fits) continue;
    throw new SluiceError('shape', {
      rule: `concat expects shapes that are equal but for axis ${axis}`,
      received: tensors.map((tensor) => tensor.shape),
      remedy: 'Reshape, expand or slice the others first.',
    });
  }
  const total = tensors.reduce((sum, { shape }) => sum + (shape[along] ?? 0), 0);
  const shape = first.shape.with(along, total);
  const node = startNode('concat', tensors);
  const result = first.make(first.dtype, shape, node?.output(shape));
  const whole = result.strided();
  let start = 0;
  const parts = tensors.map((tensor) => {
    const end = start + (tensor.shape[along] ?? 0);
    const window = sliceLayout(whole, along, start, end);
    start = end;
    combine(tensor.device, tensor.strided(), viewOf(whole, window), undefined);
    return { source: tensor.source, layout: layoutOf(tensor), window };
  });
  const { tracker } = first.storage;
  node?.finish([], ([cotangent]) => {
    for (const { source, layout, window } of parts)
      if (source !== undefined && cotangent !== undefined)
        contribute(tracker, { source, layout }, viewOf(cotangent.view, window));
  });
  return result;
}

/** Joins tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const [first] = tensors;
  const rank = (first?.shape.length ?? 0) + 1;
  const along = toAxis('stack', axis, rank);
  return internal(() =>
    concat(
      tensors.map((tensor) => tensor.unsqueeze(along)),
      along,
    ),
  );
}

/** Overwrites values in place, outside the graph. */
export function writeInto(to: Tensor, values: Tensor | ArrayLike<number>): void {
  if ('storage' in values) {
    checkDevice('write', to, [values]);
    if (!sameShape(values.shape, to.shape)) throw valuesError(to.shape, values.shape);
    combine(to.device, values.strided(), to.strided(), undefined);
  } else if (values.length !== to.size) throw valuesError(to.shape, `${values.length} numbers`);
  else if (isPacked(to)) to.device.write(values, to.strided());
  else {
    const staged = to.make(to.dtype, to.shape, undefined);
    to.device.write(values, staged.strided());
    combine(to.device, staged.strided(), to.strided(), undefined);
    staged.letGo(temporary);
  }
  to.storage.version++;
}

const valuesError = (shape: Shape, received: unknown): SluiceError =>
  new SluiceError('shape', {
    rule: `write takes as many values as ${show(shape)} has`,
    received,
    remedy: 'Reshape the values, or write to a slice.',
  });
