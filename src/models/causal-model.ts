import type { Layer } from '../layers/layer.js';
import type { Mode } from '../layers/mode.js';
import type { Tensor } from '../tensor/index.js';

/** What a layer keeps of the tokens that it has seen, so that the next ones come alone. */
export interface TokenCache extends Disposable {
  /** Tokens seen. */
  readonly length: number;
  /** What stands for them where it is of one size, by name: a state that training carries on. */
  readonly states?: Readonly<Record<string, Tensor>>;
  /** Goes on with these sequences of its batch, in this order, some of them perhaps several times: beams. */
  take(rows: readonly number[]): void;
  /** Forgets them. */
  clear(): void;
  dispose(): void;
}

/** What training and generation ask of a model that predicts the next token. */
export interface CausalModel extends Layer {
  readonly vocabSize: number;
  /** The longest sequence it takes; Infinity where it has no bound. */
  readonly maxPositions: number;
  /** Whether training reads the text in order and carries the caches on from window to window; false by default. */
  readonly carries?: boolean;
  /** Logits [batch, time, vocabSize] of int32 tokens [batch, time]. */
  forward(tokens: Tensor, mode: Mode, caches?: readonly TokenCache[]): Tensor;
  /** Empty caches for generation, one per layer. */
  makeCaches(batch: number): TokenCache[];
}
