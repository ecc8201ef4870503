import { SluiceError } from '../base/errors.js';
import { type RandomKey, randomInteger } from '../base/random.js';

/** Examples in memory: rows of numbers, each with what is to be said of it. */
export interface Examples {
  readonly count: number;
  /** Numbers of an example; of sequences, numbers of each of their steps: 1 where those are tokens. */
  readonly width: number;
  /** [count, width], row by row; of sequences [steps of all, width], one sequence after the other. */
  readonly inputs: Float32Array;
  /** Of sequences: the step at which each begins, and at last where the last one ends; count + 1 places. */
  readonly offsets?: Int32Array;
  /** Classes as an Int32Array, or values: [count, targetWidth]. */
  readonly targets: Int32Array | Float32Array;
  /** Targets of an example; 1 by default. */
  readonly targetWidth?: number;
}

/** The numbers of one example. */
export function exampleAt({ width, inputs, offsets }: Examples, index: number): Float32Array {
  const place = (i: number): number => width * (offsets?.[i] ?? i);
  return inputs.subarray(place(index), place(index + 1));
}

/** Steps of each sequence. */
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
  const { width, offsets, targets, targetWidth = 1 } = examples;
  const rows = Array.from(indices, (index) => exampleAt(examples, index));
  const places = offsetsOf(rows.map(({ length }) => length / width));
  const inputs = new Float32Array(width * (places.at(-1) ?? 0));
  rows.forEach((row, i) => {
    inputs.set(row, width * (places[i] ?? 0));
  });
  const size = indices.length * targetWidth;
  const own = targets instanceof Int32Array ? new Int32Array(size) : new Float32Array(size);
  indices.forEach((index, row) => {
    own.set(targets.subarray(index * targetWidth, (index + 1) * targetWidth), row * targetWidth);
  });
  return {
    ...examples,
    count: indices.length,
    inputs,
    targets: own,
    ...(offsets === undefined ? {} : { offsets: places }),
  };
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

/** So many at a time; the last may have fewer. */
export const chunks = (values: Int32Array, size: number): Int32Array[] =>
  Array.from({ length: Math.ceil(values.length / size) }, (_, i) => values.slice(i * size, (i + 1) * size));
