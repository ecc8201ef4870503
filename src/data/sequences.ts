import { SluiceError } from '../base/errors.js';
import { type Examples, exampleAt, lengthsOf } from './examples.js';

/** Sequences of different lengths as one tensor. */
export interface Padded {
  /** [count, length], 0 behind the end of a sequence. */
  readonly ids: Int32Array;
  /** [count, length], 1 where there is a token and 0 where there is none. */
  readonly mask: Float32Array;
  readonly count: number;
  /** The longest. */
  readonly length: number;
}

/** @throws SluiceError `data` for an empty sequence: nothing can be said of it. */
export function pad(sequences: readonly ArrayLike<number>[]): Padded {
  const length = longestOf(sequences.map((sequence) => sequence.length));
  const ids = new Int32Array(sequences.length * length);
  const mask = new Float32Array(sequences.length * length);
  sequences.forEach((sequence, row) => {
    ids.set(sequence, row * length);
    mask.fill(1, row * length, row * length + sequence.length);
  });
  return { ids, mask, count: sequences.length, length };
}

function longestOf(lengths: ArrayLike<number>): number {
  let longest = 0;
  for (let i = 0; i < lengths.length; i++) {
    const length = lengths[i] ?? 0;
    longest = Math.max(longest, length);
    if (length > 0) continue;
    throw new SluiceError('data', {
      rule: 'a sequence has at least one step',
      received: `none in sequence ${i + 1} of the batch`,
      remedy: 'Leave it out.',
    });
  }
  return longest;
}

/** Examples that are sequences, as one tensor. */
export interface PaddedExamples {
  /** [count, length, width], 0 behind the end of a sequence. */
  readonly values: Float32Array;
  /** Steps of each, from 1 on: those behind them are padding. */
  readonly lengths: Int32Array;
  /** The longest. */
  readonly length: number;
}

/** @throws SluiceError `data` for an empty sequence, `argument` for offsets that do not fit the examples. */
export function padExamples(examples: Examples): PaddedExamples {
  requireOffsets(examples);
  const { count, width } = examples;
  const lengths = lengthsOf(examples);
  const length = longestOf(lengths);
  const values = new Float32Array(count * length * width);
  for (let i = 0; i < count; i++) values.set(exampleAt(examples, i), i * length * width);
  return { values, lengths, length };
}

function requireOffsets({ count, width, inputs, offsets = new Int32Array() }: Examples): void {
  const ascends = offsets.every((offset, i) => (i === 0 ? offset === 0 : offset >= (offsets[i - 1] ?? 0)));
  const end = (offsets.at(-1) ?? 0) * width;
  if (offsets.length === count + 1 && ascends && end === inputs.length) return;
  throw new SluiceError('argument', {
    rule: `the offsets of ${count} sequences are ${count + 1} steps from 0 to ${inputs.length / width}, none before the last`,
    received: offsets,
    remedy: 'Give where each sequence begins, and at last where the last one ends.',
  });
}

export interface LengthBatchOptions {
  /** Sequences in a batch at most. */
  readonly batch: number;
  /** Steps of a batch at most, padding counted; a sequence that is longer is a batch of its own. */
  readonly steps: number;
}

/** Every sequence once, the shortest first, in batches of about one length: little is padded, and memory is bounded. */
export function lengthBatches(lengths: Int32Array, { batch, steps }: LengthBatchOptions): Int32Array[] {
  const order = Int32Array.from(lengths, (_, i) => i).sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0));
  const batches: Int32Array[] = [];
  for (let start = 0; start < order.length; ) {
    let end = start + 1;
    while (end < order.length && end - start < batch) {
      // Of ascending lengths the last one is the longest.
      if ((end + 1 - start) * (lengths[order[end] ?? 0] ?? 0) > steps) break;
      end++;
    }
    batches.push(order.slice(start, end));
    start = end;
  }
  return batches;
}
