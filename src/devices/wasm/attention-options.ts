import type { AttentionShape } from '../../kernels/attention.js';

/** Vectors of one sequence and head after the other; strides in elements, the numbers of a vector are neighbours. */
export interface AttentionOperand {
  /** Address in bytes. */
  readonly pointer: number;
  readonly batchStride: number;
  readonly timeStride: number;
  readonly headStride: number;
}

export interface AttentionForwardOptions extends AttentionShape {
  /** Address of int32 [batch, queryLength, 2]: the first key that each query sees and the one after the last; without it, all. */
  readonly ranges?: number;
  /** [batch, queryLength, heads, headDim] */
  readonly query: AttentionOperand;
  /** [batch, keyLength, keyValueHeads, headDim] */
  readonly key: AttentionOperand;
  readonly value: AttentionOperand;
  /** [batch, queryLength, heads, headDim]; written. */
  readonly output: AttentionOperand;
  /**
   * Address of float32 [batch, heads, queryLength]; written: log(sum(exp(scores))) of each query, -Infinity where it
   * sees no key. The backward pass reads it.
   */
  readonly logSumExp: number;
}

export interface AttentionBackwardOptions extends AttentionForwardOptions {
  /** [batch, queryLength, heads, headDim] */
  readonly outputGradient: AttentionOperand;
  /** The gradients, written. */
  readonly queryGradient: AttentionOperand;
  readonly keyGradient: AttentionOperand;
  readonly valueGradient: AttentionOperand;
}
