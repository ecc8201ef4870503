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
  'keyLengths', // address of an integer for each sequence, or 0
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

/** Sets `length` to how many keys sequence `batch` has. */
export function setKeyLength(
  f: FunctionBuilder,
  words: AttentionLocals,
  batch: Local<'i32'>,
  length: Local<'i32'>,
): void {
  const i = integers(f);
  i.set(length, words.keyLength);
  i.when(words.keyLengths, () => {
    i.set(length, i.load(i.add(words.keyLengths, i.multiply(batch, 4))));
    i.set(length, i.most(i.least(length, words.keyLength), 0));
  });
}

/** How many keys query `position` sees, of `length`. */
export function visibleKeys(
  f: FunctionBuilder,
  words: AttentionLocals,
  position: Integer,
  length: Local<'i32'>,
): () => void {
  const i = integers(f);
  return i.most(i.least(i.add(position, words.reach), length), 0);
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
