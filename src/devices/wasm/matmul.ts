import { foldBatch, turnColumn } from '../products.js';
import { mode } from './matmul-arguments.js';
import { dotColumns, emitMatmulDots } from './matmul-dots.js';
import { emitMatmul } from './matmul-kernel.js';
import type { MatmulOptions } from './matmul-options.js';
import { cut, slice, wordsOf } from './matmul-options.js';
import { blockSize, choosePacking, chooseTile, evenly, packedPanels, panelWidth, roundUp } from './matmul-plan.js';
import { emitMatmulRows, rowColumns, rowScratchBytes } from './matmul-rows.js';
import type { Tile } from './matmul-tile.js';
import type { WasmRuntime } from './runtime.js';

export type { MatmulOptions, MatrixOperand } from './matmul-options.js';

const mostDepth = 512; // 512 rows of a panel of B, 8 wide, take half of a 32 KB first-level cache
const mostColumns = 4096;
const mostRows = 2048;
const wholeBytes = 1 << 20; // a product is left to one thread only if its packed operands stay in the second-level cache
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
  const kernel = tileKernel(runtime, tile);
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

const tileKernel = (runtime: WasmRuntime, tile: Tile): number =>
  runtime.kernel(`matmul ${tile.rows}x${4 * tile.vectors}`, (module) => emitMatmul(module, tile, runtime.relaxed));

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

/** The bytes of a right operand that is held. */
export const heldBytes = (k: number, n: number): number => 4 * k * roundUp(n, panelWidth);

/** Where the panels begin that hold a part of B, a column block after the other, each a slice of its depth after the other. */
const heldAt = (held: number, k: number, part: Pick<MatmulOptions, 'n'>, column: number, inner: number): number =>
  held + 4 * (column * k + inner * roundUp(part.n, panelWidth));

/** Packs the B of a product once, for many with `multiplyHeld`. */
export function holdRight(runtime: WasmRuntime, whole: MatmulOptions, held: number): void {
  const { n, k } = whole;
  const tile = chooseTile(1, n);
  const kernel = tileKernel(runtime, tile);
  const depth = evenly(k, mostDepth, 4);
  const columns = evenly(n, mostColumns, panelWidth);
  for (let column = 0; column < n; column += columns)
    for (let inner = 0; inner < k; inner += depth) {
      const part = cut(whole, { row: 0, column, inner, rows: 1, columns, depth });
      const panels = Math.ceil(part.n / panelWidth);
      const packedB = heldAt(held, k, part, column, inner);
      const grain = Math.max(1, Math.ceil(panels / (8 * runtime.threads)));
      const words = { ...{ packA: 0, packB: 1, aPanels: 0, packedB }, mode: mode.pack };
      runtime.launch(kernel, wordsOf(part, words), panels, grain);
    }
}

/** `matmul` of one product whose B `holdRight` packed: the sums are those of `multiplyTiles`. */
export function multiplyHeld(runtime: WasmRuntime, options: MatmulOptions, held: number): void {
  const { m, n, k } = options;
  if (m === 0 || n === 0) return;
  const tile = chooseTile(m, n);
  multiplyTogether(runtime, tileKernel(runtime, tile), tile, evenly(k, mostDepth, 4), options, held);
}

/** One product by all threads: they pack a slice of A and B together, unless B is held, then share the blocks of C. */
function multiplyTogether(
  runtime: WasmRuntime,
  kernel: number,
  tile: Tile,
  depth: number,
  whole: MatmulOptions,
  held?: number,
): void {
  const { m, n, k } = whole;
  const width = 4 * tile.vectors;
  const columns = evenly(n, mostColumns, width);
  const rows = evenly(m, mostRows, tile.rows);
  const packedA = runtime.workspace(4 * depth * (rows + (held === undefined ? columns : 0)) + 64);
  const chosen = choosePacking(whole, tile, depth);
  const packing = held === undefined ? chosen : { ...chosen, packB: 1 };
  for (let column = 0; column < n; column += columns)
    for (let inner = 0; inner < k; inner += depth)
      for (let row = 0; row < m; row += rows) {
        const part = cut(whole, { row, column, inner, rows, columns, depth });
        const aPanels = packedPanels(part.m, tile.rows, packing.packA);
        const bPanels = row === 0 && held === undefined ? packedPanels(part.n, width, packing.packB) : 0;
        const packedB = held === undefined ? packedA + 4 * depth * rows : heldAt(held, k, part, column, inner);
        const words = { ...packing, packedA, packedB, aPanels };
        const panels = aPanels + bPanels;
        const grain = Math.max(1, Math.ceil(panels / (8 * runtime.threads)));
        if (panels > 0) runtime.launch(kernel, wordsOf(part, { ...words, mode: mode.pack }), panels, grain);
        const block = blockSize(runtime.threads, tile, part.m, part.n);
        const columnBlocks = Math.ceil(part.n / block.blockColumns);
        const blocks = columnBlocks * Math.ceil(part.m / block.blockRows);
        const more = { ...words, ...block, columnBlocks, mode: mode.multiply };
        runtime.launch(kernel, wordsOf(part, more), blocks, 1, { scratchBytes: 16 * tile.rows * tile.vectors });
      }
}

function clear(runtime: WasmRuntime, { batch, m, n, c }: MatmulOptions): void {
  for (let item = 0; item < batch; item++)
    for (let row = 0; row < m; row++) {
      const start = c.pointer / 4 + item * c.batchStride + row * c.rowStride;
      runtime.arena.f32.fill(0, start, start + n);
    }
}
