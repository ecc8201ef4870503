import type { FunctionBuilder, Local } from './assembler.js';
import type { Integer } from './integers.js';
import { integers } from './integers.js';

/** The arguments of the attention kernels, in order; strides in bytes. */
export const attentionWords = [
  'batch',
  'queryLength',
  'keyLength',
  'heads',
  'keyValueHeads',
  'group', // query heads to a key head
  'headDim',
  'reach', // query i sees keys 0 to i + reach - 1
  'ranges', // address of two integers for each query, the first key that it sees and the one after the last, or 0
  'scale', // float bits
  'queryBlocks',
  'chunks', // backward: parts of the keys that are worked on apart from each other
  'chunkKeys',
  'workspace', // backward: gradients of the queries, for each chunk
  'logSumExp',
  ...operandWords('query'),
  ...operandWords('key'),
  ...operandWords('value'),
  ...operandWords('output'),
  ...operandWords('outputGradient'),
  ...operandWords('queryGradient'),
  ...operandWords('keyGradient'),
  ...operandWords('valueGradient'),
] as const;
export type AttentionWord = (typeof attentionWords)[number];
export type AttentionLocals = Readonly<Record<AttentionWord, Local<'i32'>>>;

function operandWords<N extends string>(name: N) {
  return [name, `${name}Batch`, `${name}Time`, `${name}Head`] as const;
}

export type OperandName =
  | 'query'
  | 'key'
  | 'value'
  | 'output'
  | 'outputGradient'
  | 'queryGradient'
  | 'keyGradient'
  | 'valueGradient';

/** Pushes the address of one position's vector in an operand. */
export function pushVector(
  f: FunctionBuilder,
  words: AttentionLocals,
  name: OperandName,
  at: { readonly batch: Local<'i32'>; readonly time: Integer; readonly head: Local<'i32'> },
): () => void {
  const i = integers(f);
  return i.add(
    words[name],
    i.multiply(at.batch, words[`${name}Batch`]),
    i.multiply(at.time, words[`${name}Time`]),
    i.multiply(at.head, words[`${name}Head`]),
  );
}

/** Of the keys, where what the query at `position` may see ends. */
export function visibleKeys(f: FunctionBuilder, words: AttentionLocals, position: Integer): () => void {
  const i = integers(f);
  return i.most(i.least(i.add(position, words.reach), words.keyLength), 0);
}

/** Sets `span` to the keys that the query at `position` sees. */
export function setSpan(
  f: FunctionBuilder,
  words: AttentionLocals,
  at: { readonly batch: Local<'i32'>; readonly position: Integer },
  { begin, end }: SpanLocals,
): void {
  const i = integers(f);
  i.set(begin, 0);
  i.set(end, visibleKeys(f, words, at.position));
  i.when(words.ranges, () => {
    const query = i.add(i.multiply(at.batch, words.queryLength), at.position);
    i.set(begin, i.add(words.ranges, i.multiply(query, 8)));
    i.set(end, i.most(i.least(i.load(begin, 4), end), 0));
    i.set(begin, i.least(i.most(i.load(begin), 0), end));
  });
}

export type SpanLocals = Readonly<Record<'begin' | 'end', Local<'i32'>>>;

/**
 * Sets `span` to the keys that any of the queries from `first` to `last` sees: from the first key that one of them
 * sees to the last.
 */
export function setJointSpan(
  f: FunctionBuilder,
  words: AttentionLocals,
  at: { readonly batch: Local<'i32'>; readonly first: Integer; readonly last: Integer },
  { begin, end }: SpanLocals,
): void {
  const i = integers(f);
  i.set(begin, 0);
  i.set(end, visibleKeys(f, words, i.subtract(at.last, 1)));
  i.when(words.ranges, () => {
    const { position, from, to } = f.locals('i32', 'position', 'from', 'to');
    const one = f.locals('i32', 'begin', 'end');
    i.set(begin, words.keyLength);
    i.set(end, 0);
    i.set(from, at.first);
    i.set(to, at.last);
    f.forRange(position, from, to, 1, () => {
      setSpan(f, words, { ...at, position }, one);
      i.when(i.lessThan(one.begin, one.end), () => {
        i.set(begin, i.least(begin, one.begin));
        i.set(end, i.most(end, one.end));
      });
    });
  });
}

/** Where the log-sum-exp of a query is. */
export function logSumExpAddress(
  f: FunctionBuilder,
  words: AttentionLocals,
  at: { readonly batch: Local<'i32'>; readonly head: Local<'i32'> },
  position: Integer,
): () => void {
  const i = integers(f);
  const sequence = i.add(i.multiply(at.batch, words.heads), at.head);
  return i.add(words.logSumExp, i.multiply(i.add(i.multiply(sequence, words.queryLength), position), 4));
}

/** Where a chunk's part of the gradient of query `first` is: dense rows of `line` bytes, `length` for each head. */
export function workspaceAddress(
  f: FunctionBuilder,
  words: AttentionLocals,
  at: Readonly<Record<'chunk' | 'batch' | 'head' | 'first', Local<'i32'>>>,
  length: Integer,
  line: number,
): () => void {
  const i = integers(f);
  const sequence = i.add(i.multiply(i.add(i.multiply(at.chunk, words.batch), at.batch), words.heads), at.head);
  return i.add(words.workspace, i.multiply(i.add(i.multiply(sequence, length), at.first), line));
}

/** The bits of 1. */
export const floatOne = 0x3f80_0000;
