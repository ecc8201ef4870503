import type { KeyValueCache } from '../layers/key-value-cache.js';
import type { Layer } from '../layers/layer.js';
import type { Mode } from '../layers/mode.js';
import type { Tensor } from '../tensor/index.js';

/** What training and generation ask of a model that predicts the next token. */
export interface CausalModel extends Layer {
  readonly vocabSize: number;
  /** The longest sequence it takes. */
  readonly maxPositions: number;
  /** Logits [batch, time, vocabSize] of int32 tokens [batch, time]. */
  forward(tokens: Tensor, mode: Mode, caches?: readonly KeyValueCache[]): Tensor;
  /** Empty caches for generation, one per layer. */
  makeCaches(batch: number): KeyValueCache[];
}
