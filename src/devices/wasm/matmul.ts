import type { MatmulWord } from './matmul-arguments.js';
import { matmulWords, mode } from './matmul-arguments.js';
import { dotColumns, emitMatmulDots } from './matmul-dots.js';
import { emitMatmul } from './matmul-kernel.js';
import { emitMatmulRows, rowColumns, rowScratchBytes } from './matmul-rows.js';
import type { Tile } from './matmul-tile.js';
import { v8Version } from './platform.js';
import type { WasmRuntime } from './runtime.js';
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

const mostDepth = 512; // 512 rows of a panel of B, 8 wide, take half of a 32 KB first-level cache
const mostColumns = 4096;
const mostRows = 2048;
const wholeBytes = 1 << 20; // a product is left to one thread only if its packed operands stay in the second-level cache
const smallTile: Tile = { rows: 4, vectors: 2 };
const largeTile: Tile = { rows: 6, vectors: 2 };
const largeTileGain = 1.13; // 47 against 41 GFLOP/s on Node 24
const smallBytes = 32_768; // a B that stays in the first-level cache
const fewRows = 12;
const mostRowsAtOnce = 4;
const fewRowsNumbers = 32_768; // of B, read by a thread at a time: some 10 µs
const wholeFlops = 1e6; // some 25 µs of one thread, against two launches

/**
 * C[i] = alpha * A[i] @ B[i], or += with `accumulate`, for every i in the batch, in float32.
 *
 * The sums over k run in one fixed order, so that the bits do not depend on the number of threads. C must not overlap
 * A or B. Strides 0 repeat an operand over the batch.
 */
export function matmul(runtime: WasmRuntime, options: MatmulOptions): void {
  const folded = foldBatch(turnColumn(options));
  const { batch, m, n, k } = folded;
  if (batch === 0 || m === 0 || n === 0) return;
  if (k === 0) {
    if (options.accumulate !== true) clear(runtime, folded);
    return;
  }
  if (m <= fewRows && multiplyFewRows(runtime, folded)) return;
  multiplyTiles(runtime, chooseTile(m, n), folded);
}

/** `matmul` by tiles of a given shape, of which the bits do not depend; all sizes at least 1. */
export function multiplyTiles(runtime: WasmRuntime, tile: Tile, options: MatmulOptions): void {
  const { batch, m, n, k } = options;
  const kernel = runtime.kernel(`matmul ${tile.rows}x${4 * tile.vectors}`, (module) =>
    emitMatmul(module, tile, runtime.relaxed),
  );
  const depth = evenly(k, mostDepth, 4);
  const paddedRows = roundUp(m, tile.rows);
  const paddedColumns = roundUp(n, 4 * tile.vectors);
  const flops = 2 * paddedRows * paddedColumns * k;
  const scratchBytes = 4 * depth * (paddedRows + paddedColumns) + 16 * tile.rows * tile.vectors;
  const alone = flops < wholeFlops || batch >= 4 * runtime.threads || runtime.threads === 1;
  if (alone && scratchBytes <= wholeBytes) {
    const words = wordsOf(options, { mode: mode.whole, depth, ...choosePacking(options, tile, depth) });
    runtime.launch(kernel, words, batch, Math.ceil(wholeFlops / 2 / flops), { scratchBytes });
    return;
  }
  for (let item = 0; item < batch; item++) multiplyTogether(runtime, kernel, tile, depth, slice(options, item));
}

/** Few rows of A: memory is the limit, and packing B would double its traffic. Takes up to four rows at a time. */
function multiplyFewRows(runtime: WasmRuntime, options: MatmulOptions): boolean {
  const { batch, m, n, k, a, b } = options;
  const byRows = b.columnStride === 1;
  if (!byRows && !(b.rowStride === 1 && a.columnStride === 1)) return false;
  for (let row = 0; row < m; row += mostRowsAtOnce) {
    const rows = Math.min(mostRowsAtOnce, m - row);
    const kernel = runtime.kernel(`matmul ${byRows ? 'rows' : 'dots'} ${rows}`, (module) =>
      (byRows ? emitMatmulRows : emitMatmulDots)(module, rows, runtime.relaxed),
    );
    const columns = byRows ? rowColumns : dotColumns(rows);
    const grain = Math.ceil(fewRowsNumbers / (k * columns));
    const scratchBytes = byRows ? rowScratchBytes(rows) : 0;
    const part = cut(options, { row, column: 0, inner: 0, rows, columns: n, depth: k });
    for (let item = 0; item < batch; item++)
      runtime.launch(kernel, wordsOf(slice(part, item), {}), Math.ceil(n / columns), grain, { scratchBytes });
  }
  return true;
}

/** One product by all threads: they pack a slice of A and B together, then share the blocks of C. */
function multiplyTogether(runtime: WasmRuntime, kernel: number, tile: Tile, depth: number, whole: MatmulOptions): void {
  const { m, n, k } = whole;
  const width = 4 * tile.vectors;
  const columns = evenly(n, mostColumns, width);
  const rows = evenly(m, mostRows, tile.rows);
  const packedA = runtime.workspace(4 * depth * (rows + columns) + 64);
  const packedB = packedA + 4 * depth * rows;
  const packing = choosePacking(whole, tile, depth);
  for (let column = 0; column < n; column += columns)
    for (let inner = 0; inner < k; inner += depth)
      for (let row = 0; row < m; row += rows) {
        const part = cut(whole, { row, column, inner, rows, columns, depth });
        const aPanels = packedPanels(part.m, tile.rows, packing.packA);
        const bPanels = row === 0 ? packedPanels(part.n, width, packing.packB) : 0;
        const words = { ...packing, packedA, packedB, aPanels };
        const grain = Math.max(1, Math.ceil((aPanels + bPanels) / (8 * runtime.threads)));
        runtime.launch(kernel, wordsOf(part, { ...words, mode: mode.pack }), aPanels + bPanels, grain);
        const block = blockSize(runtime.threads, tile, part.m, part.n);
        const columnBlocks = Math.ceil(part.n / block.blockColumns);
        const blocks = columnBlocks * Math.ceil(part.m / block.blockRows);
        const more = { ...words, ...block, columnBlocks, mode: mode.multiply };
        runtime.launch(kernel, wordsOf(part, more), blocks, 1, { scratchBytes: 16 * tile.rows * tile.vectors });
      }
}

/** What to pack: an operand is used where it lies if its numbers are neighbours and it is small or read only once. */
function choosePacking({ m, n, a, b }: MatmulOptions, tile: Tile, depth: number): { packA: number; packB: number } {
  const packA = a.columnStride === 1 ? 0 : 1;
  const packB = b.columnStride === 1 && (m <= 4 * tile.rows || 4 * depth * n <= smallBytes) ? 0 : 1;
  return { packA, packB };
}

function packedPanels(size: number, width: number, all: number): number {
  return all === 1 ? Math.ceil(size / width) : Number(size % width > 0);
}

/** Blocks of C small enough to balance the threads, and large enough to use a packed panel often. */
function blockSize(threads: number, tile: Tile, m: number, n: number): { blockRows: number; blockColumns: number } {
  const width = 4 * tile.vectors;
  let blockRows = roundUp(Math.min(m, 96), tile.rows);
  let blockColumns = roundUp(Math.min(n, 192), width);
  const count = () => Math.ceil(m / blockRows) * Math.ceil(n / blockColumns);
  while (count() < 8 * threads && blockColumns > 4 * width) blockColumns = roundUp(blockColumns / 2, width);
  while (count() < 8 * threads && blockRows > 4 * tile.rows) blockRows = roundUp(blockRows / 2, tile.rows);
  return { blockRows, blockColumns };
}

/** The faster tile for this size: the larger one wins unless too much of it hangs over the edge. */
function chooseTile(m: number, n: number): Tile {
  if ((v8Version() ?? 13) < 13) return smallTile; // before 13, V8 spills the registers of the larger one
  const area = ({ rows, vectors }: Tile) => roundUp(m, rows) * roundUp(n, 4 * vectors);
  return area(largeTile) <= largeTileGain * area(smallTile) ? largeTile : smallTile;
}

/** A column is a row of the transposed product, where its numbers are neighbours. */
function turnColumn(options: MatmulOptions): MatmulOptions {
  const { m, n, a, b, c } = options;
  if (n !== 1 || m === 1 || c.rowStride !== 1) return options;
  const turned = (matrix: MatrixOperand) => ({
    ...matrix,
    rowStride: matrix.columnStride,
    columnStride: matrix.rowStride,
  });
  return { ...options, m: 1, n: m, a: turned(b), b: turned(a), c: { ...c, rowStride: m } };
}

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
  return writeWords(matmulWords, values);
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
