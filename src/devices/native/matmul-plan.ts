import type { BlasProduct } from './blas.js';

/** How an operand is read, as matmul-words.c has it: where it lies, packed beforehand, or packed by each work item. */
export const reading = { direct: 0, shared: 1, own: 2 } as const;

export interface MatmulPlan {
  /** Terms that are summed at a time; depends on k alone, since it shapes the sums. */
  readonly depth: number;
  readonly readA: number;
  readonly readB: number;
  /** Work items cut C into rowBlocks x columnBlocks. */
  readonly rowBlocks: number;
  readonly columnBlocks: number;
}

export const groupColumns = 256;
export const groupRows = 84;
/** The most rows that a tile has, and twice the lanes of the widest vector, on any processor. */
export const mostTileRows = 14;
export const mostPanel = 32;

const mostDepth = 512;
const blockNumbers = 131_072; // of A, packed: they stay in a second-level cache of 1 MB
const fewestBlockRows = 56;
const fewColumns = 384; // fewer repeat each number of A too seldom to pay for its packing
const smallBytes = 32_768; // a B that stays in the first-level cache
const largeBytes = 1 << 20; // a B that leaves the second-level cache
const fewRows = 512; // as many of A, mostDepth deep, are read again and again from the second-level cache
const itemsPerThread = 4;

/** Which operand is packed when, and how C is shared out. */
export function planMatmul({ m, n, k, a, b }: BlasProduct, threads: number): MatmulPlan {
  const depth = evenly(k, mostDepth);
  const bytes = 4 * k * n;
  const byRows = a.columnStride === 1 && n < fewColumns && a.rowStride % 512 !== 0;
  const blockRows = Math.max(56, Math.min(448, blockNumbers / depth));
  if (bytes > smallBytes && (m <= fewestBlockRows || (m <= fewRows && n >= 2 * m && bytes >= largeBytes))) {
    const wanted = Math.min(itemsPerThread * threads, Math.ceil(n / (4 * mostPanel)));
    const columnBlocks = Math.max(Math.ceil(n / groupColumns), wanted);
    const readA = a.columnStride === 1 && m <= fewestBlockRows ? reading.direct : reading.shared;
    return { depth, readA, readB: reading.own, rowBlocks: 1, columnBlocks };
  }
  const readA = byRows ? reading.direct : reading.own;
  const readSmallB = b.columnStride === 1 ? reading.direct : reading.own;
  const readB = bytes <= smallBytes ? readSmallB : reading.shared;
  const wanted = Math.min(itemsPerThread * threads, Math.ceil(m / fewestBlockRows));
  const rowBlocks = threads * Math.ceil(Math.max(m / blockRows, wanted) / threads);
  return { depth, readA, readB, rowBlocks: m <= fewestBlockRows ? 1 : rowBlocks, columnBlocks: 1 };
}

/** The least size, in steps of 4, that cuts `size` into as few parts as parts of at most `most` would. */
function evenly(size: number, most: number): number {
  return roundUp(Math.max(1, Math.ceil(size / Math.max(1, Math.ceil(size / most)))), 4);
}

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;
