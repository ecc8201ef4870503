/**
 * Attention for devices without a kernel of their own for it: products and row kernels over blocks of queries, so that
 * only a block of scores is ever held.
 */
import type { AttentionShape } from '../kernels/attention.js';
import { mapKernel, rowKernel } from '../kernels/kernel.js';
import { constant, variable } from '../scalar/expression.js';
import type { AttentionGradients, AttentionViews, Device, View } from './device.js';

const queriesPerBlock = 64;

const [score, position, limit, scale] = ['score', 'position', 'limit', 'scale'].map(variable) as Four;
const [logSumExp, gradient, x] = ['logSumExp', 'gradient', 'x'].map(variable) as Three;
type X = ReturnType<typeof variable>;
type Three = [X, X, X];
type Four = [X, X, X, X];

const visible = limit.whereLess(position, Number.NEGATIVE_INFINITY, score.mul(scale));
const top = visible.maximum();
const total = visible.sub(top).exp().sum();
const forward = rowKernel({
  elements: ['score'],
  rows: ['limit'],
  scalars: ['scale'],
  outputs: [visible.sub(top).exp().div(total), total.log().add(top)],
});
const probability = limit.whereLess(position, 0, score.mul(scale).sub(logSumExp).exp());
const backward = rowKernel({
  elements: ['score', 'gradient'],
  rows: ['limit', 'logSumExp'],
  scalars: ['scale'],
  outputs: [probability, probability.mul(gradient.sub(probability.mul(gradient).sum())).mul(scale)],
});
const copy = mapKernel({ inputs: ['x'], scalars: [], outputs: [x] });
const fill = mapKernel({ inputs: [], scalars: [], outputs: [constant(0)] });

/** The queries of one key/value head from `start` on, and the keys that they see. */
interface Block {
  readonly item: number;
  readonly group: number;
  readonly start: number;
  readonly rows: number;
  readonly keys: number;
}

function* blocksOf({ batch, keyValueHeads, queryLength, keyLength, causal }: AttentionShape): Generator<Block> {
  for (let item = 0; item < batch; item++) {
    for (let group = 0; group < keyValueHeads; group++) {
      for (let start = 0; start < queryLength; start += queriesPerBlock) {
        const rows = Math.min(queriesPerBlock, queryLength - start);
        const keys = causal ? Math.max(1, keyLength - queryLength + start + rows) : keyLength;
        yield { item, group, start, rows, keys };
      }
    }
  }
}

class Workspace {
  readonly #device: Device;
  readonly #shape: AttentionShape;
  readonly #heads: number;

  constructor(device: Device, shape: AttentionShape) {
    this.#device = device;
    this.#shape = shape;
    this.#heads = shape.heads / shape.keyValueHeads;
  }

  /** Queries or outputs of the block: [heads of the group, rows, headDim]. */
  queries(view: View, { item, group, start, rows }: Block): View {
    const [sb = 0, st = 0, sh = 0, sd = 1] = view.strides;
    const offset = view.offset + item * sb + group * this.#heads * sh + start * st;
    return { buffer: view.buffer, offset, shape: [this.#heads, rows, this.#shape.headDim], strides: [sh, st, sd] };
  }

  /** Keys or values that the block sees: [keys, headDim], repeated for each head. */
  keys(view: View, { item, group, keys }: Block): View {
    const [sb = 0, st = 0, sh = 0, sd = 1] = view.strides;
    const offset = view.offset + item * sb + group * sh;
    return { buffer: view.buffer, offset, shape: [this.#heads, keys, this.#shape.headDim], strides: [0, st, sd] };
  }

  /** One number for each query: [heads of the group, rows] of [batch, heads, queryLength]. */
  perQuery(view: View, { item, group, start, rows }: Block): View {
    const { heads, queryLength } = this.#shape;
    const offset = view.offset + (item * heads + group * this.#heads) * queryLength + start;
    return { buffer: view.buffer, offset, shape: [this.#heads, rows], strides: [queryLength, 1] };
  }

  scores({ rows, keys }: Block): View {
    return this.packed([this.#heads, rows, keys]);
  }

  packed(shape: readonly number[]): View {
    const size = shape.reduce((product, count) => product * count, 1);
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, count) => product * count, 1));
    return { buffer: this.#device.allocate('float32', size), offset: 0, shape, strides };
  }

  /** The last key that each row sees. */
  limits({ start, rows }: Block): View {
    const { causal, keyLength, queryLength } = this.#shape;
    const view = this.packed([this.#heads * rows]);
    const last = (row: number): number => (causal ? keyLength - queryLength + start + row : keyLength);
    this.#device.write(
      Float32Array.from({ length: this.#heads * rows }, (_, i) => last(i % rows)),
      view,
    );
    return view;
  }

  free(...views: readonly View[]): void {
    for (const { buffer } of views) this.#device.free(buffer);
  }
}

const transposed = ({ shape: [b = 0, r = 0, c = 0], strides: [sb = 0, sr = 0, sc = 0], ...view }: View): View => ({
  ...view,
  shape: [b, c, r],
  strides: [sb, sc, sr],
});
const flat = (view: View): View => ({ ...view, shape: [view.shape.reduce((a, b) => a * b, 1)], strides: [1] });
const matrix = (view: View): View => {
  const [heads = 0, rows = 0, keys = 0] = view.shape;
  return { ...view, shape: [heads * rows, keys], strides: [keys, 1] };
};
const head = (view: View, i: number): View => ({
  ...view,
  offset: view.offset + i * (view.strides[0] ?? 0),
  shape: [1, ...view.shape.slice(1)],
});

export function composedAttention(device: Device, shape: AttentionShape, views: AttentionViews): void {
  const space = new Workspace(device, shape);
  for (const block of blocksOf(shape)) {
    const [scores, limits] = [space.scores(block), space.limits(block)];
    const [heads = 0, rows = 0, keys = 0] = scores.shape;
    const sums = space.packed([heads, rows]);
    device.matmul(space.queries(views.query, block), transposed(space.keys(views.key, block)), scores, false);
    device.row(forward, {
      rows: heads * rows,
      length: keys,
      elements: [matrix(scores)],
      columns: [],
      perRow: [limits],
      scalars: [shape.scale],
      outputs: [matrix(scores), flat(sums)],
    });
    device.map(copy, [sums], [], [space.perQuery(views.logSumExp, block)]);
    device.matmul(scores, space.keys(views.value, block), space.queries(views.output, block), false);
    space.free(scores, limits, sums);
  }
}

export function composedAttentionGradient(
  device: Device,
  shape: AttentionShape,
  views: AttentionViews,
  gradients: AttentionGradients,
): void {
  const space = new Workspace(device, shape);
  for (const view of [gradients.key, gradients.value]) device.map(fill, [], [], [view]);
  for (const block of blocksOf(shape)) {
    const [scores, slopes, limits] = [space.scores(block), space.scores(block), space.limits(block)];
    const [heads = 0, rows = 0, keys = 0] = scores.shape;
    const sums = space.packed([heads, rows]);
    const [query, key] = [space.queries(views.query, block), space.keys(views.key, block)];
    const outputGradient = space.queries(gradients.output, block);
    device.map(copy, [space.perQuery(views.logSumExp, block)], [], [sums]);
    device.matmul(query, transposed(key), scores, false);
    device.matmul(outputGradient, transposed(space.keys(views.value, block)), slopes, false);
    device.row(backward, {
      rows: heads * rows,
      length: keys,
      elements: [matrix(scores), matrix(slopes)],
      columns: [],
      perRow: [limits, flat(sums)],
      scalars: [shape.scale],
      outputs: [matrix(scores), matrix(slopes)],
    });
    device.matmul(slopes, key, space.queries(gradients.query, block), false);
    for (let i = 0; i < heads; i++) {
      device.matmul(
        transposed(head(scores, i)),
        head(outputGradient, i),
        head(space.keys(gradients.value, block), 0),
        true,
      );
      device.matmul(transposed(head(slopes, i)), head(query, i), head(space.keys(gradients.key, block), 0), true);
    }
    space.free(scores, slopes, limits, sums);
  }
}
