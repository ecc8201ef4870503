/**
 * Scaled dot-product attention: softmax(scale Q K^T) V for each head, where each key/value head serves
 * heads / keyValueHeads query heads in order. With `causal`, a query sees the keys up to its own position, positions
 * being aligned at the end (query i of Tq sees keys 0 ... Tk - Tq + i).
 */
export interface AttentionShape {
  readonly batch: number;
  readonly queryLength: number;
  readonly keyLength: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headDim: number;
  readonly causal: boolean;
  readonly scale: number;
}
