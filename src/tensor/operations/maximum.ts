import { rowKernel } from '../../kernels/kernel.js';
import { variable } from '../../scalar/expression.js';
import { startNode } from '../autograd.js';
import { Targets } from '../gradients.js';
import { asMatrix } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { layoutOf } from './copies.js';

const x = variable('x');
const share = variable('share');
/** 1 at the largest values: none is above, so those not below are equal. */
const isLargest = x.whereLess(x.maximum(), 0, 1);
const forward = rowKernel({ elements: ['x'], outputs: [x.maximum()] });
const shared = isLargest.mul(share).div(isLargest.sum());
const backward = rowKernel({ elements: ['x'], rows: ['share'], outputs: [shared] });
const addBackward = rowKernel({
  elements: ['x', 'previous'],
  rows: ['share'],
  outputs: [shared.add(variable('previous'))],
});

/** The largest value of each row of a matrix, [rows, length] to [rows]. */
export function largest(matrix: Tensor): Tensor {
  const [rows = 1, length = 1] = matrix.shape;
  const node = startNode('amax', [matrix]);
  const result = matrix.make('float32', [rows], node?.output([rows]));
  const { device, source, storage } = matrix;
  const elements = [matrix.strided()];
  const common = { rows, length, columns: [], scalars: [] };
  device.row(forward, { ...common, elements, perRow: [], outputs: [result.strided()] });
  if (node === undefined || source === undefined) return result;
  const input = { source, layout: layoutOf(matrix) };
  node.finish([storage], ([cotangent]) => {
    if (cotangent === undefined) return;
    const targets = new Targets(storage.tracker, [input], { mode: 'adds', fits: (one) => asMatrix(one) !== undefined });
    for (const { output, previous } of targets.all) {
      const kernel = previous === undefined ? backward : addBackward;
      const views = previous === undefined ? elements : [...elements, previous];
      device.row(kernel, { ...common, elements: views, perRow: [cotangent.view], outputs: [output] });
    }
    targets.close();
  });
  return result;
}
