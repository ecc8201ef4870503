import type { View } from '../../devices/device.js';
import { startNode } from '../autograd.js';
import { viewOf } from '../compute.js';
import { type Differentiable, Targets } from '../gradients.js';
import { isPacked, type Layout, packed, reshapeLayout, sliceLayout } from '../shape.js';
import type { Tracker } from '../storage.js';
import type { Tensor } from '../tensor.js';
import { layoutOf, withSuited } from './copies.js';
import { hasUnitAxis, multiply, swapped } from './matmul.js';

/**
 * x [..., k] by the transposes of packed matrices [n, k] on top of each other, to [..., sum of n]: what a `concat` of the
 * products would give. Matrices that lie side by side (see `settle`) are one large product, and so are their gradients.
 * Callers have checked the shapes.
 */
export function matmulStacked(x: Tensor, matrices: readonly Tensor[]): Tensor {
  const inner = x.shape.at(-1) ?? 1;
  const size = [x.size / inner, inner];
  return withSuited(x, reshapeLayout(x, size) !== undefined, (suited) =>
    product(suited, viewOf(suited.strided(), reshapeLayout(suited, size) ?? suited), matrices),
  );
}

function product(x: Tensor, rows: View, matrices: readonly Tensor[]): Tensor {
  const [count = 1] = rows.shape;
  const columns = matrices.reduce((sum, { shape }) => sum + (shape[0] ?? 0), 0);
  const shape = [...x.shape.slice(0, -1), columns];
  const node = startNode('matmul', [x, ...matrices]);
  const result = x.make('float32', shape, node?.output(shape));
  const { device } = x;
  const flat = packed([count, columns]);
  const weights = join(separate(matrices.map((matrix) => matrix.strided())));
  const output = viewOf(result.strided(), flat);
  for (const { matrix, start, end } of weights) {
    multiply(device, rows, swapped(matrix), viewOf(output, sliceLayout(flat, 1, start, end)), false);
  }
  if (node === undefined) return result;
  const { source, storage } = x;
  const learned = separate(matrices).flatMap(({ matrix, ...rest }) =>
    matrix.source === undefined ? [] : [{ ...rest, input: { source: matrix.source, layout: layoutOf(matrix) } }],
  );
  const values = learned.length === 0 ? undefined : storage;
  const saved = [...(learned.length === 0 ? [] : [storage]), ...(source === undefined ? [] : matrices.map(storageOf))];
  const input = source === undefined ? undefined : { source, layout: layoutOf(rows), values };
  node.finish(saved, ([cotangent], isLast) => {
    if (cotangent === undefined) return;
    const part = ({ start, end }: Rows): View => viewOf(cotangent.view, sliceLayout(flat, 1, start, end));
    learn(storage.tracker, learned, rows, part);
    if (input === undefined) return;
    // Last: it may take the place of x, which the gradients of the matrices read.
    const options = { mode: 'accumulates', fits: hasUnitAxis, overwrites: isLast } as const;
    const targets = new Targets(storage.tracker, [input], options);
    for (const { output, previous } of targets.all) {
      weights.forEach((weight, i) => {
        multiply(device, part(weight), weight.matrix, output, previous !== undefined || i > 0);
      });
    }
    targets.close();
  });
  return result;
}

interface Learned extends Rows {
  readonly input: Differentiable;
}

/** Adds the gradients of matrices, from x and the cotangent's columns. */
function learn(tracker: Tracker, learned: readonly Learned[], rows: View, part: (of: Rows) => View): void {
  const inputs = learned.map(({ input }) => input);
  const targets = new Targets(tracker, inputs, { mode: 'accumulates', fits: isPacked });
  for (const accumulate of [false, true]) {
    const chosen = learned.flatMap(({ start, end }, i) => {
      const { output = rows, previous } = targets.all[i] ?? {};
      return (previous !== undefined) === accumulate ? [{ matrix: output, start, end }] : [];
    });
    for (const weight of join(chosen)) {
      multiply(tracker.device, swapped(part(weight)), rows, weight.matrix, accumulate);
    }
  }
  targets.close();
}

const storageOf = ({ storage }: Tensor) => storage;

/** Rows `start` to `end` (exclusive) of a stack of matrices. */
interface Rows {
  readonly start: number;
  readonly end: number;
}

interface Stratum<Matrix> extends Rows {
  readonly matrix: Matrix;
}

function separate<Matrix extends Layout>(matrices: readonly Matrix[]): Stratum<Matrix>[] {
  let end = 0;
  return matrices.map((matrix) => {
    const start = end;
    end += matrix.shape[0] ?? 0;
    return { matrix, start, end };
  });
}

/** Packed matrices of one width, in order; those are one that follow each other in the stack and in memory. */
function join(strata: readonly Stratum<View>[]): Stratum<View>[] {
  const joined: Stratum<View>[] = [];
  for (const next of strata) {
    const last = joined.at(-1);
    const [rows = 0, width = 0] = last?.matrix.shape ?? [];
    const { buffer, offset, shape } = next.matrix;
    const follows = last?.end === next.start && last.matrix.buffer === buffer;
    if (!follows || offset !== last.matrix.offset + rows * width) joined.push(next);
    else {
      const layout = packed([rows + (shape[0] ?? 0), width], last.matrix.offset);
      joined[joined.length - 1] = { matrix: { buffer, ...layout }, start: last.start, end: next.end };
    }
  }
  return joined;
}
