import type { MatmulWord } from './matmul-arguments.js';
import { matmulWords } from './matmul-arguments.js';
import { floatBits } from './runtime.js';
import { writeWords } from './words.js';

/** A batch of matrices; strides in elements, of any sign, 0 to repeat. */
export interface MatrixOperand {
  /** Address in bytes. */
  readonly pointer: number;
  readonly batchStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** A batch of matrices to be written; neighbours in a row are neighbours in memory. */
interface MatrixResult {
  readonly pointer: number;
  readonly batchStride: number;
  readonly rowStride: number;
}

export interface MatmulOptions {
  readonly batch: number;
  /** Rows of A and C. */
  readonly m: number;
  /** Columns of B and C. */
  readonly n: number;
  /** Columns of A, rows of B. */
  readonly k: number;
  readonly a: MatrixOperand;
  readonly b: MatrixOperand;
  readonly c: MatrixResult;
  /** Factor of the product; 1 by default. */
  readonly alpha?: number;
  /** Add to what C holds instead of replacing it. */
  readonly accumulate?: boolean;
}

/** One product of a batch. */
export function slice(options: MatmulOptions, item: number): MatmulOptions {
  const { a, b, c } = options;
  const at = <T extends MatrixResult>(matrix: T): T => ({
    ...matrix,
    pointer: matrix.pointer + 4 * item * matrix.batchStride,
  });
  return { ...options, batch: 1, a: at(a), b: at(b), c: at(c) };
}

interface Cut {
  readonly row: number;
  readonly column: number;
  readonly inner: number;
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
}

/** The product of a part of A and a part of B, which adds to C unless it is the first. */
export function cut(options: MatmulOptions, { row, column, inner, rows, columns, depth }: Cut): MatmulOptions {
  const { m, n, k, a, b, c } = options;
  return {
    ...options,
    m: Math.min(rows, m - row),
    n: Math.min(columns, n - column),
    k: Math.min(depth, k - inner),
    a: { ...a, pointer: a.pointer + 4 * (row * a.rowStride + inner * a.columnStride) },
    b: { ...b, pointer: b.pointer + 4 * (inner * b.rowStride + column * b.columnStride) },
    c: { ...c, pointer: c.pointer + 4 * (row * c.rowStride + column) },
    accumulate: options.accumulate === true || inner > 0,
  };
}

/** The arguments of a launch. */
export function wordsOf(options: MatmulOptions, more: Partial<Record<MatmulWord, number>>): number[] {
  const { m, n, k, a, b, c } = options;
  const values: Partial<Record<MatmulWord, number>> = {
    m,
    n,
    k,
    a: a.pointer,
    aBatchStride: 4 * a.batchStride,
    aRowStride: 4 * a.rowStride,
    aColumnStride: 4 * a.columnStride,
    b: b.pointer,
    bBatchStride: 4 * b.batchStride,
    bRowStride: 4 * b.rowStride,
    bColumnStride: 4 * b.columnStride,
    c: c.pointer,
    cBatchStride: 4 * c.batchStride,
    cRowStride: 4 * c.rowStride,
    alpha: floatBits(options.alpha ?? 1),
    accumulate: options.accumulate === true ? 1 : 0,
    ...more,
  };
  return writeWords(matmulWords, values);
}
