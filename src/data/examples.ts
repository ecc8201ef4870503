import { SluiceError } from '../base/errors.js';
import { type RandomKey, randomInteger } from '../base/random.js';

/** Examples in memory: rows of numbers, each with what is to be said of it. */
export interface Examples {
  readonly count: number;
  /** Numbers of an example; 1 where they are sequences of tokens. */
  readonly width: number;
  /** [count, width], row by row; of sequences their tokens, one after the other. */
  readonly inputs: Float32Array;
  /** Of sequences: where each begins, and at last where the last one ends; count + 1 places. */
  readonly offsets?: Int32Array;
  /** The class of each example as an Int32Array, or its value. */
  readonly targets: Int32Array | Float32Array;
}

/** The numbers of one example. */
export function exampleAt({ width, inputs, offsets }: Examples, index: number): Float32Array {
  const place = (i: number): number => offsets?.[i] ?? i * width;
  return inputs.subarray(place(index), place(index + 1));
}

/** How long each sequence is. */
export const lengthsOf = ({ count, offsets = Int32Array.of() }: Examples): Int32Array =>
  Int32Array.from({ length: count }, (_, i) => (offsets[i + 1] ?? 0) - (offsets[i] ?? 0));

/** Where sequences of these lengths begin, and at last where the last one ends. */
export function offsetsOf(lengths: ArrayLike<number>): Int32Array {
  const offsets = new Int32Array(lengths.length + 1);
  for (let i = 0; i < lengths.length; i++) offsets[i + 1] = (offsets[i] ?? 0) + (lengths[i] ?? 0);
  return offsets;
}

/** The examples of these indices, in their order. */
export function selectExamples(examples: Examples, indices: Int32Array): Examples {
  const { width, offsets, targets } = examples;
  const rows = Array.from(indices, (index) => exampleAt(examples, index));
  const inputs = new Float32Array(rows.reduce((sum, { length }) => sum + length, 0));
  const places = new Int32Array(indices.length + 1);
  rows.forEach((row, i) => {
    inputs.set(row, places[i]);
    places[i + 1] = (places[i] ?? 0) + row.length;
  });
  const own = targets instanceof Int32Array ? new Int32Array(indices.length) : new Float32Array(indices.length);
  indices.forEach((index, row) => {
    own[row] = targets[index] ?? 0;
  });
  return { count: indices.length, width, inputs, targets: own, ...(offsets === undefined ? {} : { offsets: places }) };
}

/** The numbers below `count` in an order that the key alone decides. Source: Fisher and Yates. */
export function permutation(count: number, key: RandomKey): Int32Array {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = randomInteger(key, i, i + 1);
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  return order;
}

/** Indices of examples to learn from and to judge by. */
export interface Parts {
  readonly training: Int32Array;
  readonly validation: Int32Array;
}

/**
 * Parts shuffled examples in two, each class in about the same proportion; both parts have an example of each.
 * @param targets classes as an Int32Array; values are parted as one class
 * @param share of the examples that validate, above 0 and below 1
 * @throws SluiceError `data` for a class with one example.
 */
export function stratifiedSplit(targets: Examples['targets'], share: number, key: RandomKey): Parts {
  const groups = new Map<number, number[]>();
  for (const index of permutation(targets.length, key)) {
    const name = targets instanceof Int32Array ? (targets[index] ?? 0) : 0;
    const group = groups.get(name) ?? [];
    group.push(index);
    groups.set(name, group);
  }
  const [training, validation]: [number[], number[]] = [[], []];
  for (const [name, group] of groups) {
    if (group.length < 2) {
      throw new SluiceError('data', {
        rule: 'each class has an example to learn from and one to be judged by',
        received: `one example of class ${name}`,
        remedy: 'Add examples of it, or leave the class out.',
      });
    }
    const held = Math.min(group.length - 1, Math.max(1, Math.round(share * group.length)));
    group.forEach((index, i) => {
      (i < held ? validation : training).push(index);
    });
  }
  // In the order of the data: what is shuffled is shuffled for each epoch.
  const sorted = (indices: number[]): Int32Array => Int32Array.from(indices).sort();
  return { training: sorted(training), validation: sorted(validation) };
}

export interface EpochOptions {
  readonly count: number;
  /** Examples in a batch; the last one of an epoch may have fewer. */
  readonly batch: number;
  /** Of this epoch. */
  readonly key: RandomKey;
  /** How long each example is: those of about one length are batched together, so that little is padded. */
  readonly lengths?: Int32Array;
}

/** Batches whose examples are sorted by length among each other: enough to save padding, few enough to stay random. */
const bucketBatches = 32;

/** Every example once, shuffled, in batches. */
export function epochBatches({ count, batch, key, lengths }: EpochOptions): Int32Array[] {
  const order = permutation(count, key);
  if (lengths === undefined) return chunks(order, batch);
  const bucketed = chunks(order, batch * bucketBatches).flatMap((bucket) =>
    chunks(
      bucket.sort((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0)),
      batch,
    ),
  );
  const shuffled = permutation(bucketed.length, { k0: key.k1, k1: key.k0 });
  return Array.from(shuffled, (i) => bucketed[i] ?? Int32Array.of());
}

const chunks = (values: Int32Array, size: number): Int32Array[] =>
  Array.from({ length: Math.ceil(values.length / size) }, (_, i) => values.slice(i * size, (i + 1) * size));

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
  const empty = sequences.findIndex((sequence) => sequence.length === 0);
  if (empty >= 0) {
    throw new SluiceError('data', {
      rule: 'a sequence has at least one token',
      received: `none in sequence ${empty + 1} of the batch`,
      remedy: 'Leave it out.',
    });
  }
  const length = Math.max(0, ...sequences.map((sequence) => sequence.length));
  const ids = new Int32Array(sequences.length * length);
  const mask = new Float32Array(sequences.length * length);
  sequences.forEach((sequence, row) => {
    ids.set(sequence, row * length);
    mask.fill(1, row * length, row * length + sequence.length);
  });
  return { ids, mask, count: sequences.length, length };
}
