import type { BlasProduct } from './blas.js';

/** How an operand is read: where it lies, packed beforehand, or packed by each work item. */
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

/** Packed together: whole panels, however wide the processor's are. */
export const groupColumns = 256;
export const groupRows = 84;
export const groupDepth = 64;
/** The most rows that a tile has, and twice the lanes of the widest vector, on any processor. */
export const mostTileRows = 14;
export const mostPanel = 32;
/** A multiple of the rows of every processor's tile. */
export const wholeTiles = 12 * mostTileRows;

const mostDepth = 512;
const blockNumbers = 131_072; // of A, packed: they stay in a second-level cache of 1 MB
const fewestBlockRows = 56;
const mostBlockRows = 448;
const smallBytes = 32_768; // a B that stays in the first-level cache
const largeBytes = 1 << 20; // a B that leaves the second-level cache
const fewRows = 512; // as many of A, mostDepth deep, are read again and again from the second-level cache
const itemsPerThread = 4;

/** Which operand is packed when, and how C is shared out. */
export function planMatmul(product: BlasProduct, threads: number): MatmulPlan {
  const { batch, m, n, k, b } = product;
  const depth = evenly(k, mostDepth);
  const bytes = 4 * k * n;
  const workers = Math.ceil(threads / Math.max(1, batch));
  const isDirectA = readsDirectly(product);
  const isDirectB = b.columnStride === 1 && bytes <= smallBytes && n % mostPanel === 0;
  const fewTiles = m <= 4 * workers * mostTileRows;
  const balances = fewTiles && balance(n, mostPanel, workers) > balance(m, mostTileRows, workers);
  if (balances || (m <= fewestBlockRows && bytes > smallBytes) || (m <= fewRows && n >= 2 * m && bytes >= largeBytes)) {
    const wanted = Math.min(itemsPerThread * workers, Math.ceil(n / (4 * mostPanel)));
    const fewest = Math.min(workers, Math.ceil(n / mostPanel));
    const columnBlocks = Math.max(Math.ceil(n / groupColumns), wanted, fewest);
    const readA = isDirectA || (product.a.columnStride === 1 && m <= fewestBlockRows) ? reading.direct : reading.shared;
    return { depth, readA, readB: isDirectB ? reading.direct : reading.own, rowBlocks: 1, columnBlocks };
  }
  const readB = bytes > smallBytes ? reading.shared : isDirectB ? reading.direct : reading.own;
  const blockRows = Math.max(fewestBlockRows, Math.min(mostBlockRows, blockNumbers / depth));
  const wanted = Math.min(itemsPerThread * workers, Math.ceil(m / fewestBlockRows));
  const rowBlocks = workers * Math.ceil(Math.max(m / blockRows, wanted) / workers);
  return { depth, readA: isDirectA ? reading.direct : reading.own, readB, rowBlocks, columnBlocks: 1 };
}

/** The same for a B that was packed before. */
export function planPacked({ m, n, k, a }: BlasProduct, threads: number): MatmulPlan {
  return {
    depth: evenly(k, mostDepth),
    readA: a.columnStride === 1 ? reading.direct : reading.own,
    readB: reading.shared,
    rowBlocks: Math.ceil(m / mostBlockRows),
    columnBlocks: Math.min(itemsPerThread * threads, Math.ceil(n / mostPanel)),
  };
}

const fewColumns = 384; // fewer repeat each number of A too seldom to pay for its packing
const fewColumnsTurned = 128; // the same where A is read by columns
const crowded = 1024; // multiples of it as a stride put a tile's rows into the same few sets of a cache
const crowdedTurned = 512;

function readsDirectly({ n, a }: BlasProduct): boolean {
  if (a.columnStride === 1) return n < fewColumns && a.rowStride % crowded !== 0;
  return a.rowStride === 1 && n <= fewColumnsTurned && a.columnStride % crowdedTurned !== 0;
}

/** How much of their time threads work that share `size` in whole steps. */
const balance = (size: number, step: number, threads: number): number =>
  size / (threads * step * Math.max(1, Math.ceil(size / step / threads)));

/** The least size, in steps of 4, that cuts `size` into as few parts as parts of at most `most` would. */
function evenly(size: number, most: number): number {
  return roundUp(Math.max(1, Math.ceil(size / Math.max(1, Math.ceil(size / most)))), 4);
}

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;
