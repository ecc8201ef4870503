import { SluiceError } from '../../base/errors.js';
import { completeOptions, type OptionTable } from '../../base/options.js';
import type { AttentionViews, DeviceBuffer, View } from '../../devices/device.js';
import type { AttentionShape } from '../../kernels/attention.js';
import { startNode } from '../autograd.js';
import { type Differentiable, Targets } from '../gradients.js';
import { isPacked, packed, sizeOf, stepsByOne } from '../shape.js';
import type { Tracker } from '../storage.js';
import type { Tensor } from '../tensor.js';
import { layoutOf, temporary, withSuited } from './copies.js';
import { checkDevice, checkFloat } from './operands.js';

export interface AttentionOptions {
  /** A query sees the keys up to its own position; the last query is at the last key. False by default. */
  readonly causal?: boolean;
  /** What scores are multiplied by; 1 / sqrt(headDim) by default. */
  readonly scale?: number;
  /**
   * int32 [batch, queryLength, 2]: the first key that each query sees and the one after the last, cut further by
   * `causal`; all by default. A query that sees none gives zeros and has no gradient. For padding, windows and packed
   * texts, see `keyRanges`.
   */
  readonly ranges?: Tensor;
}

const attentionDefaults = {
  causal: false,
  scale: undefined,
  ranges: undefined,
} satisfies OptionTable<AttentionOptions>;

function attentionShape(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions): AttentionShape {
  const [batch = 0, queryLength = 0, heads = 0, headDim = 0] = query.shape;
  const [keyBatch, keyLength = 0, keyValueHeads = 1, keyDim] = key.shape;
  const { causal, scale = 1 / Math.sqrt(headDim) } = completeOptions('attention', options, attentionDefaults);
  const refuse = (rule: string, remedy: string): never => {
    throw new SluiceError('shape', { rule, received: [query.shape, key.shape, value.shape], remedy });
  };
  if ([query, key, value].some(({ shape }) => shape.length !== 4)) {
    refuse(
      'attention takes query, key and value as [batch, time, heads, headDim]',
      'Split the width into heads with view([batch, time, heads, headDim]).',
    );
  }
  const agrees =
    keyBatch === batch && keyDim === headDim && key.shape.every((size, axis) => size === value.shape[axis]);
  if (!agrees) {
    refuse(
      'attention expects one batch and headDim, and key and value of one shape',
      'Project query, key and value to heads of one width.',
    );
  }
  if (heads % keyValueHeads !== 0) {
    refuse('the heads of the query are a multiple of those of key and value', 'Change heads or key/value heads.');
  }
  if (causal && keyLength < queryLength) {
    refuse('causal attention has at least as many keys as queries', 'Leave out causal for attention across sequences.');
  }
  return { batch, queryLength, keyLength, heads, keyValueHeads, headDim, causal, scale };
}

function requireRanges(ranges: Tensor, { batch, queryLength }: AttentionShape): void {
  const expected = [batch, queryLength, 2];
  const fits = ranges.dtype === 'int32' && expected.every((size, axis) => ranges.shape[axis] === size);
  if (fits && ranges.shape.length === 3) return;
  throw new SluiceError('shape', {
    rule: `the ranges of attention are int32 [batch, queryLength, 2] = [${expected.join(', ')}]`,
    received: `${ranges.dtype} [${ranges.shape.join(', ')}]`,
    remedy: 'Give the first key that each query sees and the one after the last.',
  });
}

/**
 * softmax(scale Q K^T) V for each head. Query [batch, time, heads, headDim], key and value [batch, keyTime,
 * keyValueHeads, headDim], where each key/value head serves heads / keyValueHeads query heads in order; the result
 * has the query's shape. Source: Vaswani 2017, arXiv:1706.03762; Ainslie 2023, arXiv:2305.13245.
 */
export function attention(query: Tensor, key: Tensor, value: Tensor, options: AttentionOptions = {}): Tensor {
  checkDevice('attention', query, [key, value]);
  checkFloat('attention', [query, key, value]);
  const shape = attentionShape(query, key, value, options);
  const { ranges } = options;
  const withRanges = (ranges: Tensor | undefined): Tensor =>
    withSuited(query, stepsByOne(query), (q) =>
      withSuited(key, stepsByOne(key), (k) =>
        withSuited(value, stepsByOne(value), (v) => attend(shape, [q, k, v], ranges)),
      ),
    );
  if (ranges === undefined) return withRanges(undefined);
  checkDevice('attention', query, [ranges]);
  requireRanges(ranges, shape);
  return withSuited(ranges, isPacked(ranges), withRanges);
}

function attend(
  shape: AttentionShape,
  [query, key, value]: readonly [Tensor, Tensor, Tensor],
  ranges: Tensor | undefined,
): Tensor {
  const inputs = [query, key, value];
  const node = startNode('attention', inputs);
  const result = query.make('float32', query.shape, node?.output(query.shape));
  const sums = query.make('float32', [shape.batch, shape.heads, shape.queryLength], undefined);
  const { device, storage } = query;
  const wanted = inputs.map((input) =>
    input.source === undefined ? undefined : { source: input.source, layout: layoutOf(input) },
  );
  const views = {
    query: query.strided(),
    key: key.strided(),
    value: value.strided(),
    output: result.strided(),
    logSumExp: sums.strided(),
    ...(ranges === undefined ? {} : { ranges: ranges.strided() }),
  };
  device.attention(shape, views);
  const kept = [...inputs, result, sums, ...(ranges === undefined ? [] : [ranges])].map((tensor) => tensor.storage);
  node?.finish(kept, ([cotangent]) => {
    if (cotangent !== undefined) backward(shape, views, cotangent.view, storage.tracker, wanted);
  });
  sums.letGo(temporary);
  return result;
}

/** The device makes all three gradients; those that nobody wants go to scratch memory. */
function backward(
  shape: AttentionShape,
  views: AttentionViews,
  output: View,
  tracker: Tracker,
  wanted: readonly (Differentiable | undefined)[],
): void {
  const { device } = tracker;
  const inputs = wanted.filter((input) => input !== undefined);
  const targets = new Targets(tracker, inputs, { mode: 'overwrites', fits: (layout) => stepsByOne(layout) });
  const scratch: DeviceBuffer[] = [];
  const place = (position: number, like: View): View => {
    const input = wanted[position];
    const target = input === undefined ? undefined : targets.all[inputs.indexOf(input)];
    if (target !== undefined) return target.output;
    const buffer = device.allocate('float32', sizeOf(like.shape));
    scratch.push(buffer);
    return { buffer, ...packed(like.shape) };
  };
  const gradients = { query: place(0, views.query), key: place(1, views.key), value: place(2, views.value) };
  device.attentionGradient(shape, views, { output, ...gradients });
  for (const buffer of scratch) device.free(buffer);
  targets.close();
}
