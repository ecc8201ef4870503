import { startNode } from '../autograd.js';
import { combine, fill, viewOf } from '../compute.js';
import { contribute } from '../gradients.js';
import { type Layout, sliceLayout } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { layoutOf } from './copies.js';
import { checkFloat } from './operands.js';

/** Elements of one value before and behind each axis; `amounts` is for the last axes. */
export function pad(x: Tensor, amounts: readonly (readonly [before: number, after: number])[], value: number): Tensor {
  checkFloat('pad', [x]);
  const first = x.shape.length - amounts.length;
  const shape = x.shape.map((size, axis) => {
    const [before, after] = amounts[axis - first] ?? [0, 0];
    return before + size + after;
  });
  const node = startNode('pad', [x]);
  const result = x.make('float32', shape, node?.output(shape));
  const { device, source, storage } = x;
  const layout = layoutOf(x);
  const whole = result.strided();
  const inside: Layout = amounts.reduce<Layout>((window, [before], i) => {
    const axis = first + i;
    return sliceLayout(window, axis, before, before + (x.shape[axis] ?? 1));
  }, layoutOf(result));
  fill(device, whole, value);
  combine(device, x.strided(), viewOf(whole, inside), undefined);
  if (node !== undefined && source !== undefined) {
    node.finish([], ([cotangent]) => {
      if (cotangent !== undefined) contribute(storage.tracker, { source, layout }, viewOf(cotangent.view, inside));
    });
  }
  return result;
}
