import { completeOptions, type OptionTable } from '../../base/options.js';
import { startNode } from '../autograd.js';
import { sumInto, viewOf } from '../compute.js';
import { contribute } from '../gradients.js';
import { internal } from '../scopes.js';
import { asMatrix, dropAxes, expandLayout, packed, sizeOf, toAxes } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { layoutOf, withSuited } from './copies.js';
import { largest } from './maximum.js';
import { checkFloat } from './operands.js';

export interface ReduceOptions {
  /** Leave the reduced axes in place, with size 1. */
  readonly keepdim?: boolean;
}

const reduceDefaults = { keepdim: false } satisfies OptionTable<ReduceOptions>;

type Axes = number | readonly number[] | undefined;

function scaledSum(x: Tensor, axes: readonly number[], factor: number, operation: string, keepdim: boolean): Tensor {
  checkFloat(operation, [x]);
  const node = startNode(operation, [x]);
  const keptShape = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  const shape = keptShape.filter((_, axis) => !axes.includes(axis));
  const resultShape = keepdim ? keptShape : shape;
  const result = x.make('float32', resultShape, node?.output(resultShape));
  const packedResult = result.strided();
  const to = keepdim ? viewOf(packedResult, dropAxes(packedResult, new Set(axes))) : packedResult;
  sumInto(x.device, x.strided(), axes, to, false, factor);
  const { source, storage } = x;
  const layout = layoutOf(x);
  if (node === undefined || source === undefined) return result;
  node.finish([], ([cotangent]) => {
    if (cotangent === undefined) return;
    const spread = expandLayout(packed(keptShape), layout.shape);
    contribute(storage.tracker, { source, layout }, viewOf(cotangent.view, spread), factor);
  });
  return result;
}

export function sum(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  const { keepdim } = completeOptions('sum', options, reduceDefaults);
  return scaledSum(x, toAxes('sum', axes, x.shape.length), 1, 'sum', keepdim);
}

export function mean(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  const { keepdim } = completeOptions('mean', options, reduceDefaults);
  const named = toAxes('mean', axes, x.shape.length);
  const count = named.reduce((product, axis) => product * (x.shape[axis] ?? 1), 1);
  return scaledSum(x, named, 1 / count, 'mean', keepdim);
}

/** Equal largest values share the gradient evenly, as in PyTorch's amax. */
export function amax(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  const { keepdim } = completeOptions('amax', options, reduceDefaults);
  checkFloat('amax', [x]);
  const rank = x.shape.length;
  const named = toAxes('amax', axes, rank);
  const kept = Array.from({ length: rank }, (_, axis) => axis).filter((axis) => !named.includes(axis));
  const sizes = kept.map((axis) => x.shape[axis] ?? 1);
  const shape = keepdim ? x.shape.map((size, axis) => (named.includes(axis) ? 1 : size)) : sizes;
  return internal(() => {
    const matrix = x.permute([...kept, ...named]).reshape([sizeOf(sizes), -1]);
    return withSuited(matrix, asMatrix(matrix) !== undefined, largest).reshape(shape);
  });
}
