import { SluiceError } from '../../base/errors.js';
import { startNode } from '../autograd.js';
import { combine, viewOf } from '../compute.js';
import { contribute } from '../gradients.js';
import { isPacked, sameShape, type Shape, sizeOf, sliceLayout, toAxis } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { checkDevice } from './map.js';

/** The values in new, packed memory. */
export function clone(x: Tensor): Tensor {
  const node = startNode('clone', [x]);
  const result = x.make(x.dtype, x.shape, node?.output(x.shape));
  combine(x.device, x.strided(), result.strided(), undefined);
  const { source, storage } = x;
  if (node !== undefined && source !== undefined) {
    const layout = { shape: x.shape, strides: x.strides, offset: x.offset };
    node.finish([], ([cotangent]) => {
      if (cotangent !== undefined) contribute(storage.tracker, { source, layout }, cotangent.view);
    });
  }
  return result;
}

/** The tensor itself where its elements already lie side by side. For use inside operations. */
export const packedTensor = (x: Tensor): Tensor => (isPacked(x) ? x : clone(x));

/** Joins tensors along an axis; the other axes must be equal. */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const [first] = tensors;
  if (first === undefined) throw new SluiceError('argument', { rule: 'concat takes at least one tensor' });
  checkDevice('concat', first, tensors);
  const along = toAxis('concat', axis, first.shape.length);
  for (const { shape, dtype } of tensors) {
    const fits = shape.length === first.shape.length && sameShape(shape.with(along, 1), first.shape.with(along, 1));
    if (fits && dtype === first.dtype) continue;
    throw new SluiceError('shape', {
      rule: `concat expects one type, and shapes that are equal but for axis ${axis}`,
      received: tensors.map((tensor) => tensor.shape),
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

const layoutOf = ({ shape, strides, offset }: Tensor) => ({ shape, strides, offset });

/** Joins tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const [first] = tensors;
  const rank = (first?.shape.length ?? 0) + 1;
  const along = toAxis('stack', axis, rank);
  return concat(
    tensors.map((tensor) => tensor.unsqueeze(along)),
    along,
  );
}

/** Overwrites values in place, outside the graph. */
export function writeInto(to: Tensor, values: Tensor | ArrayLike<number>): void {
  to.storage.version++;
  if ('storage' in values) {
    checkDevice('write', to, [values]);
    if (!sameShape(values.shape, to.shape)) throw countError(to.shape, values.shape);
    combine(to.device, values.strided(), to.strided(), undefined);
    return;
  }
  if (values.length !== sizeOf(to.shape)) throw countError(to.shape, values.length);
  if (isPacked(to)) to.device.write(values, to.strided());
  else {
    const packedValues = to.make(to.dtype, to.shape, undefined);
    to.device.write(values, packedValues.strided());
    combine(to.device, packedValues.strided(), to.strided(), undefined);
    packedValues.dispose();
  }
}

const countError = (shape: Shape, received: unknown): SluiceError =>
  new SluiceError('shape', { rule: `write takes the values of a tensor [${shape.join(', ')}]`, received });
