import type { Exponential } from './attention-exponential.js';

/** Vectors of one sequence and head after the other; strides in elements, the numbers of a vector are neighbours. */
export interface AttentionOperand {
  /** Address in bytes. */
  readonly pointer: number;
  readonly batchStride: number;
  readonly timeStride: number;
  readonly headStride: number;
}

export interface AttentionForwardOptions {
  readonly batch: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly heads: number;
  /** Heads of keys and values; each serves heads / keyHeads neighbouring query heads. */
  readonly keyHeads: number;
  readonly headDim: number;
  /** Query i sees keys up to number i + keyLength - queryLength: the last query sees all. */
  readonly causal: boolean;
  /** Factor of the scores; 1 / sqrt(headDim) by default. */
  readonly scale?: number;
  /** Address of an int32 for each sequence: how many of its keys count. */
  readonly keyLengths?: number;
  /** [batch, queryLength, heads, headDim] */
  readonly query: AttentionOperand;
  /** [batch, keyLength, keyHeads, headDim] */
  readonly key: AttentionOperand;
  readonly value: AttentionOperand;
  /** [batch, queryLength, heads, headDim]; written. */
  readonly output: AttentionOperand;
  /**
   * Address of float32 [batch, heads, queryLength, 2]; written: the largest score of each query, and 1 / the sum of
   * e^(score - largest), or 0 where a query sees no key. The backward pass reads them.
   */
  readonly statistics: number;
  readonly exponential?: Exponential;
}

export interface AttentionBackwardOptions extends AttentionForwardOptions {
  /** [batch, queryLength, heads, headDim] */
  readonly outputGradient: AttentionOperand;
  /** The gradients, written. */
  readonly queryGradient: AttentionOperand;
  readonly keyGradient: AttentionOperand;
  readonly valueGradient: AttentionOperand;
}
