import type { Tile } from './matmul-tile.js';

/** Keys that are taken at a time: their vectors and those of the values fit the first-level cache for heads of 64. */
export const keyBlock = 64;

/** Dense rows are as wide as whole panels of the tile. */
export const panelWidth = 8;

/** Queries that are taken at a time. */
export function queryBlock(tile: Tile): number {
  return 16 * tile.rows;
}

/** The bytes of one dense row of a head. */
function lineBytes(headDim: number): number {
  return 4 * Math.ceil(headDim / panelWidth) * panelWidth;
}

/** Parts of a given size one after the other: where each begins, and where the last one ends. */
function place<N extends string>(sizes: Readonly<Record<N, number>>) {
  const offsets: Partial<Record<N, number>> = {};
  let bytes = 0;
  for (const name of Object.keys(sizes) as N[]) {
    offsets[name] = bytes;
    bytes += sizes[name];
  }
  return { offsets: offsets as Readonly<Record<N, number>>, bytes };
}

/** One thread's scratch in the forward pass. */
export function forwardLayout(tile: Tile, headDim: number) {
  const line = lineBytes(headDim);
  const rows = queryBlock(tile);
  const parts = place({
    queries: rows * line,
    sums: rows * line,
    packed: keyBlock * line,
    values: keyBlock * line,
    scores: 4 * tile.rows * keyBlock,
    state: 8 * rows,
  });
  return { line, ...parts };
}
export type ForwardLayout = ReturnType<typeof forwardLayout>;

/** One thread's scratch in the backward pass. */
export function backwardLayout(tile: Tile, headDim: number) {
  const line = lineBytes(headDim);
  const rows = queryBlock(tile);
  const parts = place({
    queries: rows * line,
    gradients: rows * line, // of the output
    packedKeys: keyBlock * line,
    packedValues: keyBlock * line,
    keys: keyBlock * line,
    keySums: keyBlock * line,
    valueSums: keyBlock * line,
    weights: 4 * rows * keyBlock,
    scores: 4 * rows * keyBlock, // their gradients
    deltas: 4 * rows,
  });
  return { line, ...parts };
}
export type BackwardLayout = ReturnType<typeof backwardLayout>;
