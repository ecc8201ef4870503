import type { MatmulWord, Tile } from './matmul-kernel.js';
import { emitMatmul, matmulWords, mode } from './matmul-kernel.js';
import type { WasmRuntime } from './runtime.js';
import { floatBits } from './runtime.js';

/** A batch of matrices; strides in elements, of any sign, 0 to repeat. */
export interface MatrixOperand {
  /** Address in bytes. */
  readonly pointer: number;
  readonly batchStride: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** A batch of matrices to be written; neighbours in a row are neighbours in memory. */
export interface MatrixResult {
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

const mostDepth = 320; // rows of B in a panel: 12 * 320 * 4 bytes leave room in a 32 KB first-level cache
const mostColumns = 4096;
const mostRows = 2048;
const wholeBytes = 1 << 20; // a product is left to one thread only if its packed operands stay in the second-level cache
const wholeFlops = 1e6; // some 25 µs of one thread, against two launches

/**
 * C[i] = alpha * A[i] @ B[i], or += with `accumulate`, for every i in the batch, in float32.
 *
 * The sums over k run in one fixed order, so that the bits do not depend on the number of threads. C must not overlap
 * A or B. Strides 0 repeat an operand over the batch.
 */
export function matmul(runtime: WasmRuntime, options: MatmulOptions): void {
  const folded = foldBatch(options);
  const { batch, m, n, k } = folded;
  if (batch === 0 || m === 0 || n === 0) return;
  if (k === 0) {
    if (options.accumulate !== true) clear(runtime, folded);
    return;
  }
  const tile = chooseTile(runtime.relaxed, m, n);
  const kernel = runtime.kernel(`matmul ${tile.rows}x${4 * tile.vectors}`, (module) =>
    emitMatmul(module, tile, runtime.relaxed),
  );
  const depth = evenly(k, mostDepth, 4);
  const bytes = 4 * depth * (roundUp(m, tile.rows) + roundUp(n, 4 * tile.vectors)) + 16 * tile.rows * tile.vectors;
  const alone = 2 * m * n * k < wholeFlops || batch >= 4 * runtime.threads || runtime.threads === 1;
  if (alone && bytes <= wholeBytes) {
    const words = wordsOf(folded, { mode: mode.whole, depth });
    const grain = Math.max(1, Math.floor(wholeFlops / 2 / (2 * m * n * k)));
    runtime.launch(kernel, words, batch, grain, { scratchBytes: bytes });
    return;
  }
  for (let item = 0; item < batch; item++) multiplyTogether(runtime, kernel, tile, depth, slice(folded, item));
}

/** One product by all threads: they pack a slice of A and B together, then share the blocks of C. */
function multiplyTogether(runtime: WasmRuntime, kernel: number, tile: Tile, depth: number, whole: MatmulOptions): void {
  const { m, n, k } = whole;
  const width = 4 * tile.vectors;
  const columns = evenly(n, mostColumns, width);
  const rows = evenly(m, mostRows, tile.rows);
  const packedA = runtime.workspace(4 * depth * (rows + columns) + 64);
  const packedB = packedA + 4 * depth * rows;
  for (let column = 0; column < n; column += columns)
    for (let inner = 0; inner < k; inner += depth)
      for (let row = 0; row < m; row += rows) {
        const part = cut(whole, { row, column, inner, rows, columns, depth });
        const block = blockSize(runtime.threads, tile, part.m, part.n);
        const aPanels = Math.ceil(part.m / tile.rows);
        const bPanels = row === 0 ? Math.ceil(part.n / width) : 0;
        const columnBlocks = Math.ceil(part.n / block.columns);
        const shared = { packedA, packedB, aPanels, blockRows: block.rows, blockColumns: block.columns, columnBlocks };
        const panels = aPanels + bPanels;
        const grain = Math.max(1, Math.ceil(panels / (8 * runtime.threads)));
        runtime.launch(kernel, wordsOf(part, { mode: mode.pack, ...shared }), panels, grain);
        const blocks = columnBlocks * Math.ceil(part.m / block.rows);
        const scratchBytes = 16 * tile.rows * tile.vectors;
        runtime.launch(kernel, wordsOf(part, { mode: mode.multiply, ...shared }), blocks, 1, { scratchBytes });
      }
}

/** Blocks of C small enough to balance the threads, and large enough to use a packed panel often. */
function blockSize(threads: number, tile: Tile, m: number, n: number): { rows: number; columns: number } {
  const width = 4 * tile.vectors;
  let rows = roundUp(Math.min(m, 96), tile.rows);
  let columns = roundUp(Math.min(n, 192), width);
  const count = () => Math.ceil(m / rows) * Math.ceil(n / columns);
  while (count() < 8 * threads && columns > 4 * width) columns = roundUp(columns / 2, width);
  while (count() < 8 * threads && rows > 4 * tile.rows) rows = roundUp(rows / 2, tile.rows);
  return { rows, columns };
}

/** The faster tile for this size: a large tile wins unless too much of it hangs over the edge. */
function chooseTile(relaxed: boolean, m: number, n: number): Tile {
  const tiles = relaxed ? relaxedTiles : plainTiles;
  const cost = ({ rows, vectors, speed }: Tile & { speed: number }) =>
    (roundUp(m, rows) * roundUp(n, 4 * vectors)) / speed;
  return tiles.reduce((best, tile) => (cost(tile) < cost(best) ? tile : best));
}

const relaxedTiles = [
  { rows: 3, vectors: 3, speed: 44 },
  { rows: 4, vectors: 2, speed: 40 },
] as const;
const plainTiles = [{ rows: 4, vectors: 2, speed: 33 }] as const;

/** A batch whose B is the same throughout and whose A and C run on is one taller product. */
function foldBatch(options: MatmulOptions): MatmulOptions {
  const { batch, m, a, b, c } = options;
  if (batch === 1 || b.batchStride !== 0) return options;
  if (a.batchStride !== m * a.rowStride || c.batchStride !== m * c.rowStride) return options;
  return { ...options, batch: 1, m: batch * m };
}

function slice(options: MatmulOptions, item: number): MatmulOptions {
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
function cut(options: MatmulOptions, { row, column, inner, rows, columns, depth }: Cut): MatmulOptions {
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

function wordsOf(options: MatmulOptions, more: Partial<Record<MatmulWord, number>>): number[] {
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
  return matmulWords.map((name) => values[name] ?? 0);
}

function clear(runtime: WasmRuntime, { batch, m, n, c }: MatmulOptions): void {
  for (let item = 0; item < batch; item++)
    for (let row = 0; row < m; row++) {
      const start = c.pointer / 4 + item * c.batchStride + row * c.rowStride;
      runtime.arena.f32.fill(0, start, start + n);
    }
}

/** The smallest multiple of `step` that cuts `size` into as few parts as parts of at most `most` would. */
function evenly(size: number, most: number, step: number): number {
  return Math.min(roundUp(size, step), roundUp(Math.ceil(size / Math.ceil(size / most)), step));
}

function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
