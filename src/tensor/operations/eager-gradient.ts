import type { RowArguments, View } from '../../devices/device.js';
import { mapKernel, type RowKernel, rowKernel } from '../../kernels/kernel.js';
import { named } from '../../kernels/names.js';
import { gradient } from '../../scalar/differentiate.js';
import { type Expression, variable } from '../../scalar/expression.js';
import { groupRowFactors } from '../../scalar/row-factors.js';
import { simplify } from '../../scalar/simplify.js';
import { stabilizeRows } from '../../scalar/stable-rows.js';
import { startNode } from '../autograd.js';
import { combine, sumInto, viewOf } from '../compute.js';
import { alias, contribute } from '../gradients.js';
import { packed, sizeOf } from '../shape.js';
import { Storage } from '../storage.js';
import type { Tensor } from '../tensor.js';
import { layoutOf, temporary } from './copies.js';

const [x, factor] = [variable('x'), variable('factor')];
const scaleBy = named(mapKernel({ inputs: ['x', 'factor'], scalars: [], outputs: [x.mul(factor)] }), 'scale');

/** A loss of each row of its elements, by the names of the expression's variables. */
export interface RowLoss {
  readonly name: string;
  readonly expression: Expression;
  readonly elements: string;
  /** One value for each row, without a gradient. */
  readonly perRow: string;
}

const kernels = new WeakMap<Expression, RowKernel>();

/** The loss of each row, and `scale` times its gradient. */
function kernelOf({ name, expression, elements, perRow }: RowLoss): RowKernel {
  const known = kernels.get(expression);
  if (known !== undefined) return known;
  const output = simplify(expression);
  const along = new Set([elements, 'position']);
  const [derivative = output] = gradient([{ output, cotangent: variable('scale') }], [elements], along);
  const outputs = [output, groupRowFactors(stabilizeRows(derivative, along), along)];
  const kernel = rowKernel({ elements: [elements], rows: [perRow], scalars: ['scale'], outputs });
  kernels.set(expression, named(kernel, `${name} and gradient`));
  return kernel;
}

/** Whether only this tensor shows its memory, all of it, and nothing that is recorded needs it. */
export function isOwnResult({ storage, isLeaf, isContiguous, offset, size, kept }: Tensor): boolean {
  return !isLeaf && !kept && isContiguous && offset === 0 && size === sizeOf(storage.shape) && storage.holders === 1;
}

/**
 * `scale` times the sum of a loss over the rows of a result that `isOwnResult` accepts, with its gradient in the same
 * pass, which is written over the result: nobody may read that afterwards.
 */
export function sumWithGradient(loss: RowLoss, result: Tensor, perRow: Tensor, scale: number): Tensor {
  const length = result.shape.at(-1) ?? 1;
  const rows = result.size / length;
  const node = startNode(loss.name, [result]);
  const total = result.make('float32', [], node?.output([]));
  const losses = result.make('float32', [rows], undefined);
  const { device, source, storage } = result;
  const matrix = viewOf(result.strided(), packed([rows, length]));
  const vector = viewOf(perRow.strided(), packed([rows], perRow.offset));
  const operands: RowArguments = {
    ...{ rows, length, elements: [matrix], columns: [], perRow: [vector], scalars: [scale] },
    outputs: [losses.strided(), matrix],
  };
  device.row(kernelOf(loss), operands);
  storage.version++;
  sumInto(device, losses.strided(), [0], total.strided(), false, scale);
  losses.letGo(temporary);
  if (node === undefined || source === undefined) return total;
  const input = { source, layout: layoutOf(result) };
  node.finish([storage], ([cotangent], isLast) => {
    if (cotangent === undefined) return;
    const { tracker } = storage;
    if (cotangent.storage.isOne && isLast && alias(input, storage)) return;
    const own = new Storage(tracker, 'float32', [rows, length]);
    own.hold();
    const scaled: View = { buffer: own.buffer, ...packed([rows, length]) };
    if (cotangent.storage.isOne) combine(device, matrix, scaled, undefined);
    else {
      const repeated = viewOf(cotangent.view, { shape: [rows, length], strides: [0, 0], offset: 0 });
      device.map(scaleBy, [matrix, repeated], [], [scaled]);
    }
    if (!alias(input, own)) contribute(tracker, input, viewOf(scaled, packed(result.shape)));
    own.letGo(temporary);
  });
  return total;
}
