import type { MatmulOptions } from './matmul-options.js';
import type { Tile } from './matmul-tile.js';
import { v8Version } from './platform.js';

/** Columns of a packed panel of B: the same for every tile, so that what is held serves all of them. */
export const panelWidth = 8;
const vectors = panelWidth / 4;
const smallTile: Tile = { rows: 4, vectors, steps: 1 };
const largeTile: Tile = { rows: 6, vectors, steps: 4 };
const largeTileGain = 1.13; // 47 against 41 GFLOP/s on Node 24
const smallBytes = 32_768; // a B that stays in the first-level cache

/** What to pack: an operand is used where it lies if its numbers are neighbours and it is small or read only once. */
export function choosePacking(
  { m, n, a, b }: MatmulOptions,
  tile: Tile,
  depth: number,
): { packA: number; packB: number } {
  const packA = a.columnStride === 1 ? 0 : 1;
  const packB = b.columnStride === 1 && (m <= 4 * tile.rows || 4 * depth * n <= smallBytes) ? 0 : 1;
  return { packA, packB };
}

/** How many panels are packed of `size` lines: all, or the one over the edge if there is one. */
export function packedPanels(size: number, width: number, all: number): number {
  return all === 1 ? Math.ceil(size / width) : Number(size % width > 0);
}

/** Blocks of C small enough to balance the threads, and large enough to use a packed panel often. */
export function blockSize(
  threads: number,
  tile: Tile,
  m: number,
  n: number,
): { blockRows: number; blockColumns: number } {
  const width = 4 * tile.vectors;
  let blockRows = roundUp(Math.min(m, 96), tile.rows);
  let blockColumns = roundUp(Math.min(n, 192), width);
  const count = () => Math.ceil(m / blockRows) * Math.ceil(n / blockColumns);
  while (count() < 8 * threads && blockColumns > 4 * width) blockColumns = roundUp(blockColumns / 2, width);
  while (count() < 8 * threads && blockRows > 4 * tile.rows) blockRows = roundUp(blockRows / 2, tile.rows);
  return { blockRows, blockColumns };
}

/** The faster tile for this size: the larger one wins unless too much of it hangs over the edge. */
export function chooseTile(m: number, n: number): Tile {
  if ((v8Version() ?? 13) < 13) return smallTile; // before 13, V8 spills the registers of the larger one
  const area = ({ rows, vectors }: Tile) => roundUp(m, rows) * roundUp(n, 4 * vectors);
  return area(largeTile) <= largeTileGain * area(smallTile) ? largeTile : smallTile;
}

/** The smallest multiple of `step` that cuts `size` into as few parts as parts of at most `most` would. */
export function evenly(size: number, most: number, step: number): number {
  return Math.min(roundUp(size, step), roundUp(Math.ceil(size / Math.ceil(size / most)), step));
}

/** The least multiple of `step` that is not below `value`. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
