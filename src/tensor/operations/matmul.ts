import { SluiceError, show } from '../../base/errors.js';
import { collapse } from '../../devices/collapse.js';
import type { Device, View } from '../../devices/device.js';
import { startNode } from '../autograd.js';
import { viewOf } from '../compute.js';
import { type Differentiable, Targets } from '../gradients.js';
import {
  broadcastShapes,
  expandLayout,
  insertAxis,
  type Layout,
  packed,
  reshapeLayout,
  type Shape,
  sizeOf,
  stepsByOne,
} from '../shape.js';
import type { Tensor } from '../tensor.js';
import { layoutOf, withSuited } from './copies.js';
import { checkDevice, checkFloat } from './operands.js';

/**
 * [..., m, k] by [..., k, n] to [..., m, n]. Leading axes broadcast; a right operand of two axes makes one large
 * product of them all. A vector is a row on the left and a column on the right, and its axis goes.
 * @throws SluiceError `shape` where the inner sizes differ, `argument` for int32 tensors.
 */
export function matmul(left: Tensor, right: Tensor): Tensor {
  checkDevice('matmul', left, [right]);
  checkFloat('matmul', [left, right]);
  const [leftRank, rightRank] = [left.shape.length, right.shape.length];
  const [inner, outer] = [left.shape.at(-1), right.shape.at(rightRank === 1 ? -1 : -2)];
  if (inner === undefined || outer === undefined) {
    throw new SluiceError('shape', {
      rule: 'matmul takes tensors of at least one axis',
      received: [left.shape, right.shape],
      remedy: 'Multiply by a single number with mul().',
    });
  }
  if (inner !== outer) throw innerError(left.shape, right.shape);
  const b = rightRank === 1 ? insertAxis(right, 1) : layoutOf(right);
  const [rows, columns] = [
    leftRank === 1 ? [] : left.shape.slice(-2, -1),
    rightRank === 1 ? [] : right.shape.slice(-1),
  ];
  if (rightRank <= 2 && leftRank > 2) {
    // One large product instead of many small ones.
    const size = [left.size / inner, inner];
    const shape = [...left.shape.slice(0, -1), ...columns];
    return withSuited(left, reshapeLayout(left, size) !== undefined, (folded) =>
      product(folded, reshapeLayout(folded, size) ?? folded, right, b, shape),
    );
  }
  const a = leftRank === 1 ? insertAxis(left, 0) : layoutOf(left);
  const batch = broadcastShapes('matmul', a.shape.slice(0, -2), b.shape.slice(0, -2));
  return product(left, a, right, b, [...batch, ...rows, ...columns]);
}

function innerError(left: Shape, right: Shape): SluiceError {
  const at = right.length === 1 ? 'the only axis' : right.length === 2 ? 'the first' : 'the last but one';
  const inner = `matmul expects the last axis of the left (${left.at(-1)}) to equal ${at} of the right`;
  return new SluiceError('shape', {
    rule: `${inner} (${right.at(right.length === 1 ? -1 : -2)}), received ${show(left)} and ${show(right)}`,
    remedy:
      right.at(-1) === left.at(-1)
        ? 'Transpose the right: matmul(right.transpose(-2, -1)).'
        : 'Check the widths of the layers around it.',
  });
}

/** Of two tensors as matrices, whose result is given another shape of its size. */
function product(left: Tensor, leftLayout: Layout, right: Tensor, rightLayout: Layout, shape: Shape): Tensor {
  const batch = broadcastShapes('matmul', leftLayout.shape.slice(0, -2), rightLayout.shape.slice(0, -2));
  const a = viewOf(left.strided(), expandLayout(leftLayout, [...batch, ...leftLayout.shape.slice(-2)]));
  const b = viewOf(right.strided(), expandLayout(rightLayout, [...batch, ...rightLayout.shape.slice(-2)]));
  const matrices = packed([...batch, leftLayout.shape.at(-2) ?? 1, rightLayout.shape.at(-1) ?? 1]);
  const node = startNode('matmul', [left, right]);
  const result = left.make('float32', shape, node?.output(shape));
  const { device, storage } = left;
  multiply(device, a, b, viewOf(result.strided(), matrices), false);
  if (node === undefined) return result;
  const [leftSource, rightSource] = [left.source, right.source];
  const saved = [
    ...(rightSource === undefined ? [] : [left.storage]),
    ...(leftSource === undefined ? [] : [right.storage]),
  ];
  const add = (input: Differentiable, x: View, y: View, overwrites: boolean): void => {
    const targets = new Targets(storage.tracker, [input], { mode: 'accumulates', fits: hasUnitAxis, overwrites });
    for (const { output, previous } of targets.all) multiply(device, x, y, output, previous !== undefined);
    targets.close();
  };
  const isOwn = rightSource !== undefined && right.storage !== storage;
  node.finish(saved, ([cotangent], isLast) => {
    if (cotangent === undefined) return;
    const c = viewOf(cotangent.view, matrices);
    // The right's gradient reads the left, whose own may take its place.
    if (rightSource !== undefined) add({ source: rightSource, layout: b }, swapped(a), c, false);
    if (leftSource === undefined) return;
    add({ source: leftSource, layout: a, values: isOwn ? storage : undefined }, c, swapped(b), isLast);
  });
  return result;
}

/** The last two axes exchanged. */
export function swapped({ buffer, offset, shape, strides }: View): View {
  const exchange = (items: readonly number[]): number[] => {
    const exchanged = [...items];
    const last = items.length - 1;
    exchanged[last] = items[last - 1] ?? 1;
    exchanged[last - 1] = items[last] ?? 1;
    return exchanged;
  };
  return { buffer, offset, shape: exchange(shape), strides: exchange(strides) };
}

/** Whether a product can be written there, as it is or transposed. */
export const hasUnitAxis = (layout: Layout): boolean => stepsByOne(layout, -1) || stepsByOne(layout, -2);

/** c = a b or c += a b over equal leading axes, any strides for a and b, unit steps along one of c's last two axes. */
export function multiply(device: Device, a: View, b: View, c: View, accumulate: boolean): void {
  if (!stepsByOne(c, -1)) {
    multiply(device, swapped(b), swapped(a), swapped(c), accumulate);
    return;
  }
  if (c.shape.length === 2) {
    device.matmul(asBatch(a), asBatch(b), asBatch(c), accumulate);
    return;
  }
  const views = [a, b, c];
  const batches = collapse(
    views.map((view) =>
      viewOf(view, { shape: view.shape.slice(0, -2), strides: view.strides.slice(0, -2), offset: view.offset }),
    ),
  );
  const outer = batches[0]?.shape.slice(0, -1) ?? [];
  for (let index = 0; index < sizeOf(outer); index++) {
    const [x = a, y = b, z = c] = views.map((view, v) => batchAt(view, batches[v] ?? view, outer, index));
    device.matmul(x, y, z, accumulate);
  }
}

/** A matrix as a batch of one. */
const asBatch = ({ buffer, offset, shape: [m = 1, n = 1], strides: [rows = 0, columns = 0] }: View): View => ({
  buffer,
  offset,
  shape: [1, m, n],
  strides: [0, rows, columns],
});

/** The innermost batch axis at one index of those around it, as [batch, rows, columns]. */
function batchAt(view: View, batches: Layout, outer: Shape, index: number): View {
  let rest = index;
  let { offset } = view;
  for (let axis = outer.length - 1; axis >= 0; axis--) {
    const size = outer[axis] ?? 1;
    offset += (rest % size) * (batches.strides[axis] ?? 0);
    rest = Math.floor(rest / size);
  }
  return {
    buffer: view.buffer,
    offset,
    shape: [batches.shape.at(-1) ?? 1, ...view.shape.slice(-2)],
    strides: [batches.strides.at(-1) ?? 0, ...view.strides.slice(-2)],
  };
}
