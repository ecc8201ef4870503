import type { Local } from './assembler.js';

/** What a launch of the matmul kernel does. */
export const mode = {
  /** Work items are panels of A, then of B, to be packed. */
  pack: 0,
  /** Work items are blocks of C. */
  multiply: 1,
  /** Work items are whole products of the batch, packed into the thread's scratch. */
  whole: 2,
} as const;

/** The arguments of a launch, in order; strides in bytes. */
export const matmulWords = [
  'mode',
  'm',
  'n',
  'k',
  'a',
  'aBatchStride',
  'aRowStride',
  'aColumnStride',
  'b',
  'bBatchStride',
  'bRowStride',
  'bColumnStride',
  'c',
  'cBatchStride',
  'cRowStride',
  'alpha',
  'accumulate',
  'packA', // 1: A is packed; 0: only the panel it does not fill, if there is one
  'packB',
  'depth', // mode whole: columns of A taken at a time
  'packedA', // modes pack and multiply: where packed panels are
  'packedB',
  'aPanels', // mode pack: panels of A among the work items
  'blockRows', // mode multiply
  'blockColumns',
  'columnBlocks',
] as const;
export type MatmulWord = (typeof matmulWords)[number];
export type MatmulLocals = Readonly<Record<MatmulWord, Local<'i32'>>>;
