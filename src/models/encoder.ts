/**
 * What the encoders have in common: what they read, the heads that stand on them, and one vector for a text.
 *
 * - a batch is [batch, time] tokens; `spans` says which tokens each token sees, so that texts may be padded on either
 *   side, or packed several to a row: each gives what it gives alone
 * - nothing of size time x time is made of them
 */
import { SluiceError } from '../base/errors.js';
import type { Device } from '../devices/device.js';
import type { Layer } from '../layers/layer.js';
import type { Mode } from '../layers/mode.js';
import { internal, type Tensor, tensor } from '../tensor/index.js';

/** What stands on an encoder: nothing, or a head that says hidden words, the class of a text, or that of each token. */
export const encoderHeads = ['none', 'words', 'texts', 'tokens'] as const;
export type EncoderHead = (typeof encoderHeads)[number];

/** How the tokens of a batch belong to texts. */
export interface TextLayout {
  readonly batch: number;
  readonly time: number;
  /**
   * [batch, time, 2]: where the text of each token begins in its row, and where it ends; the same place twice for
   * padding, which sees nothing. Without it every row is one text.
   */
  readonly spans?: Int32Array | undefined;
}

export interface EncoderInputs extends Pick<TextLayout, 'spans'> {
  /** int32 [batch, time]: the token types of BERT; 0 everywhere by default. */
  readonly types?: Tensor | undefined;
}

/** A model that reads a text from both sides, and says something of it. */
export interface Encoder extends Layer {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** The longest text. */
  readonly maxPositions: number;
  readonly head: EncoderHead;
  /** The vector of each token, [batch, time, hiddenSize], of int32 tokens [batch, time]. */
  encode(tokens: Tensor, mode: Mode, inputs?: EncoderInputs): Tensor;
  /**
   * What the head says. Of hidden words: a logit for each token of the vocabulary, of any vectors [..., hiddenSize]. Of
   * texts: [batch, labels] of all vectors [batch, time, hiddenSize]. Of tokens: [batch, time, labels].
   */
  logits(vectors: Tensor, mode: Mode, inputs?: EncoderInputs): Tensor;
}

/** Rows of texts that are padded on the right. @param lengths of the texts, one to a row. */
export function paddedLayout(lengths: ArrayLike<number>, time = Math.max(1, ...Array.from(lengths))): TextLayout {
  const batch = lengths.length;
  if (Array.from(lengths).every((length) => length === time)) return { batch, time };
  const spans = new Int32Array(2 * batch * time);
  for (let row = 0; row < batch; row++) {
    const length = lengths[row] ?? 0;
    for (let t = 0; t < length; t++) spans[2 * (row * time + t) + 1] = length;
  }
  return { batch, time, spans };
}

/**
 * What each query of attention sees, as int32 [batch, time, 2]: its text, of which at most `window` tokens to either
 * side. Undefined where that is all.
 */
export function visibleRanges(
  device: Device,
  layout: TextLayout,
  window = Number.POSITIVE_INFINITY,
): Tensor | undefined {
  const { batch, time, spans } = layout;
  if (spans === undefined && window >= time - 1) return undefined;
  const ranges = new Int32Array(2 * batch * time);
  for (let i = 0; i < batch * time; i++) {
    const [begin, end] = spans === undefined ? [0, time] : [spans[2 * i] ?? 0, spans[2 * i + 1] ?? 0];
    const isText = begin < end;
    ranges[2 * i] = isText ? Math.max(begin, (i % time) - window) : 0;
    ranges[2 * i + 1] = isText ? Math.min(end, (i % time) + window + 1) : 0;
  }
  return tensor(device, ranges, [batch, time, 2], { dtype: 'int32' });
}

/** The place of each token in its own text; undefined where all texts begin at the first column. */
export function textPositions({ batch, time, spans }: TextLayout): Int32Array | undefined {
  if (spans === undefined) return undefined;
  const begins = Int32Array.from({ length: batch * time }, (_, i) => {
    const [begin = 0, end = 0] = spans.subarray(2 * i, 2 * i + 2);
    return begin < end ? begin : 0;
  });
  if (begins.every((begin) => begin === 0)) return undefined;
  return begins.map((begin, i) => (i % time) - begin);
}

/** The mean of the vectors of each row's text, [batch, width]: padding never counts. One text to a row. */
export function meanVectors(vectors: Tensor, spans?: Int32Array): Tensor {
  const [batch = 0, time = 0] = vectors.shape;
  if (spans === undefined) return vectors.mean(1);
  const isText = Float32Array.from({ length: batch * time }, (_, i) =>
    (spans[2 * i] ?? 0) < (spans[2 * i + 1] ?? 0) ? 1 : 0,
  );
  const counts = Float32Array.from({ length: batch }, (_, row) =>
    Math.max(
      1,
      isText.subarray(row * time, (row + 1) * time).reduce((sum, one) => sum + one, 0),
    ),
  );
  return internal(() => {
    const mask = tensor(vectors.device, isText, [batch, time, 1]);
    return vectors
      .mul(mask)
      .sum(1)
      .div(tensor(vectors.device, counts, [batch, 1]));
  });
}

/** The vector of the first token of each row's text, [batch, width]. */
export function firstVectors(vectors: Tensor, spans?: Int32Array): Tensor {
  const [batch = 0, time = 0, width = 0] = vectors.shape;
  if (spans === undefined) return vectors.select(1, 0);
  const places = Int32Array.from({ length: batch }, (_, row) => {
    for (let t = 0; t < time; t++)
      if ((spans[2 * (row * time + t)] ?? 0) < (spans[2 * (row * time + t) + 1] ?? 0)) return row * time + t;
    return row * time;
  });
  return vectors.reshape([-1, width]).gather(tensor(vectors.device, places, [batch], { dtype: 'int32' }));
}

/** Holds that a text fits the positions of a model. @throws SluiceError `shape`. */
export function requirePositions(model: string, time: number, positions: number): void {
  if (time <= positions) return;
  throw new SluiceError('shape', {
    rule: `${model} reads a text of at most ${positions} tokens`,
    received: time,
    remedy: 'Cut the text, or train with a longer context.',
  });
}

/** The error for a model without a head that says something. */
export function noHead(model: string): SluiceError {
  return new SluiceError('argument', {
    rule: `${model} has a head that says something`,
    received: "head 'none'",
    remedy: "Make it with head 'words', 'texts' or 'tokens'.",
  });
}
