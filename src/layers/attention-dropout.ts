import { variables } from '../scalar/expression.js';
import { attention, internal, mapTensors, type Tensor, tensor } from '../tensor/index.js';
import { dropout } from './dropout.js';
import type { Mode } from './mode.js';

export interface DroppedAttentionOptions {
  readonly causal: boolean;
  /** What scores are multiplied by. */
  readonly scale: number;
  /** Probability with which a query loses sight of a key in training. */
  readonly dropout: number;
}

const [score, mask, scale] = variables('score', 'mask', 'scale');
const masked = [score.mul(scale).add(mask)] as const;

/**
 * `attention` with dropout of its weights in training. All queries and keys [batch, time, heads, headDim], as many
 * heads of keys as of queries. With dropout the weights [batch, heads, time, keyTime] are held in memory; without it, or
 * in evaluation, they are not. Source: Vaswani 2017, arXiv:1706.03762.
 */
export function attentionWithDropout(
  query: Tensor,
  key: Tensor,
  value: Tensor,
  options: DroppedAttentionOptions,
  mode: Mode,
): Tensor {
  const { causal, scale } = options;
  if (!mode.training || options.dropout === 0) return attention(query, key, value, { causal, scale });
  const [time = 0, keyTime = 0] = [query.shape[1], key.shape[1]];
  return internal(() => {
    const products = query.transpose(1, 2).matmul(key.permute([0, 2, 3, 1]));
    const operands = { score: products, mask: maskOf(query, time, keyTime, causal) };
    const scores = mapTensors(masked, operands, { scale }, { operation: 'attention' })[0];
    const weights = dropout(scores.softmax(-1), options.dropout, mode);
    return weights.matmul(value.transpose(1, 2)).transpose(1, 2).contiguous();
  });
}

/** 0 for a key that is seen, [time, keyTime]; the last query is at the last key. */
function maskOf({ device }: Tensor, time: number, keyTime: number, causal: boolean): Tensor {
  const hidden = (i: number): boolean => causal && (i % keyTime) - Math.floor(i / keyTime) > keyTime - time;
  const values = Float32Array.from({ length: time * keyTime }, (_, i) => (hidden(i) ? Number.NEGATIVE_INFINITY : 0));
  return tensor(device, values, [time, keyTime]);
}
