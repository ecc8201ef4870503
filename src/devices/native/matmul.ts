import type { BlasMatrix, BlasProduct } from './blas.js';
import { defines, type KernelSource, kernelSource } from './kernel-source.js';
import {
  groupColumns,
  groupDepth,
  groupRows,
  type MatmulPlan,
  mostPanel,
  mostTileRows,
  planMatmul,
  planPacked,
  reading,
  roundUp,
  wholeTiles,
} from './matmul-plan.js';
import { resource } from './resource.js';
import { ArgumentWriter, type Launcher } from './runtime.js';

const fewRows = 4;
const dotColumns = 4;
const mostRowColumns = 1024;
const fewestRowColumns = 64;
const grainFlops = 250_000; // some 3 µs of one thread: less is not worth waking another
const grainNumbers = 32_768; // of B, where it is read but once

/**
 * C = A B, or C += A B with `accumulate`, by our own kernels. The sums over k run in one fixed order, whatever the number
 * of threads. C must not overlap A or B.
 */
export function matmul(launcher: Launcher, product: BlasProduct): void {
  const folded = foldBatch(turnColumn(product));
  const { batch, m, n, k, a, b } = folded;
  if (batch === 0 || m === 0 || n === 0) return;
  if (m > fewRows || k === 0) multiplyTiles(launcher, folded);
  else if (b.rowStride === 1 && a.columnStride === 1) multiplyDots(launcher, folded);
  else if (b.columnStride === 1) multiplyRows(launcher, folded);
  else multiplyTiles(launcher, folded);
}

const hugeSide = 1536;
const smallFlops = 2e7;
const shallow = 128;

/**
 * Whether ours is the faster one, by the table of docs/log.md: with vectors of 512 bits up to all but the largest
 * products, with shorter ones where a BLAS spends its time on packing or on C.
 */
export function prefersOwn({ batch, m, n, k }: BlasProduct, vectorBytes: number): boolean {
  if (m <= fewRows || n === 1) return true;
  return vectorBytes === 64 ? Math.min(m, n, k) < hugeSide : k <= shallow || 2 * batch * m * n * k < smallFlops;
}

const writer = /* @__PURE__ */ new ArgumentWriter();

/** The words of matmul-words.c. */
function wordsOf(product: BlasProduct, plan: MatmulPlan, packed = { a: 0, b: 0 }): Float64Array {
  const { batch, m, n, k, a, b, c, accumulate } = product;
  const isOne = batch === 1;
  writer.start().number(m).number(n).number(k);
  for (const x of [a, b, c]) {
    writer.number(isOne ? 0 : x.batchStride).number(x.rowStride);
    if (x !== c) writer.number(x.columnStride);
  }
  writer
    .number(accumulate ? 1 : 0)
    .number(plan.depth)
    .number(plan.rowBlocks)
    .number(plan.columnBlocks);
  writer.number(plan.readA).number(plan.readB);
  return writer.number(a.address).number(b.address).number(c.address).number(packed.a).number(packed.b).words;
}

function multiplyTiles(launcher: Launcher, product: BlasProduct): void {
  const { batch, m, n, k } = product;
  const plan = planMatmul(product, launcher.threads);
  const { depth, readA, readB, rowBlocks, columnBlocks } = plan;
  const items = batch * rowBlocks * columnBlocks;
  const rows = Math.ceil(m / rowBlocks) + 2 * mostTileRows;
  const scratch = 4 * depth * (groupColumns + (readA === reading.own ? rows : 0));
  const aNumbers = readA === reading.shared ? batch * roundUp(m, wholeTiles) * k : 0;
  const bNumbers = readB === reading.shared ? batch * roundUp(n, mostPanel) * k : 0;
  const a = aNumbers + bNumbers > 0 ? launcher.workspace(4 * (aNumbers + bNumbers) + 64) : 0;
  const words = wordsOf(product, plan, { a, b: a + 4 * aNumbers });
  if (a !== 0) {
    const groups = aNumbers > 0 ? Math.ceil(m / groupRows) : Math.ceil(n / groupColumns);
    const parts = Math.ceil(k / groupDepth);
    launcher.launch(launcher.kernel('matmul pack', packSource), words, batch * groups * parts, 1);
  }
  const grain = Math.ceil((grainFlops * items) / (2 * batch * m * n * Math.max(1, k)));
  launcher.launch(launcher.kernel('matmul tile', tileSource), words, items, grain, scratch);
}

/** The numbers of a right operand that is packed once. */
export const packedNumbers = (k: number, n: number): number => k * roundUp(n, mostPanel);

/** Packs a right operand for products with `multiplyPacked`. */
export function packRight(launcher: Launcher, k: number, n: number, b: BlasMatrix, packed: number): void {
  const plan = { depth: k, readA: reading.direct, readB: reading.shared, rowBlocks: 1, columnBlocks: 1 };
  const none = { address: 0, batchStride: 0, rowStride: 0, columnStride: 0 };
  const product = { batch: 1, m: 0, n, k, a: none, b, c: { ...none }, accumulate: false };
  const words = wordsOf(product, plan, { a: 0, b: packed });
  const items = Math.ceil(n / groupColumns) * Math.ceil(k / groupDepth);
  launcher.launch(launcher.kernel('matmul pack', packSource), words, items, 1);
}

/** C = A B, or C += A B, where B was packed. The sums are those of `matmul`. */
export function multiplyPacked(launcher: Launcher, product: BlasProduct, packed: number): void {
  const { m, n, k } = product;
  const plan = planPacked(product, launcher.threads);
  const { depth, rowBlocks, columnBlocks, readA } = plan;
  const items = rowBlocks * columnBlocks;
  const rows = Math.ceil(m / rowBlocks) + 2 * mostTileRows;
  const scratch = 4 * depth * (groupColumns + mostPanel + (readA === reading.own ? rows : 0));
  const grain = Math.ceil((grainFlops * items) / (2 * m * n * k));
  const words = wordsOf(product, plan, { a: 0, b: packed });
  launcher.launch(launcher.kernel('matmul tile', tileSource), words, items, grain, scratch);
}

/** Contiguous columns of B: dot products along memory. */
function multiplyDots(launcher: Launcher, product: BlasProduct): void {
  const { batch, m, n, k } = product;
  const plan = { depth: k, readA: reading.direct, readB: reading.direct, rowBlocks: 1, columnBlocks: 1 };
  const kernel = launcher.kernel(`matmul dots ${m}`, () => dotsSource(m));
  const items = batch * Math.ceil(n / dotColumns);
  launcher.launch(kernel, wordsOf(product, plan), items, Math.ceil(grainNumbers / (k * dotColumns)));
}

/** Contiguous rows of B: a sum of rows. */
function multiplyRows(launcher: Launcher, product: BlasProduct): void {
  const { batch, m, n, k } = product;
  const share = roundUp(Math.ceil(n / (2 * launcher.threads)), fewestRowColumns);
  const depth = Math.min(mostRowColumns, share);
  const plan = { depth, readA: reading.direct, readB: reading.direct, rowBlocks: 1, columnBlocks: 1 };
  const grain = Math.ceil(grainNumbers / (k * depth));
  const scratch = 4 * m * (depth + mostPanel);
  const kernel = launcher.kernel('matmul rows', rowsSource);
  launcher.launch(kernel, wordsOf(product, plan), batch * Math.ceil(n / depth), grain, scratch);
}

const sizes = {
  ...{ GROUP_COLUMNS: groupColumns, GROUP_ROWS: groupRows, GROUP_DEPTH: groupDepth, DOT_COLUMNS: dotColumns },
  ...{ MOST_PANEL: mostPanel, WHOLE_TILES: wholeTiles, MOST_TILE_ROWS: mostTileRows },
  ...{ DIRECT: reading.direct, SHARED: reading.shared, OWN: reading.own },
};

const source = (prefix: string, file: string, define = ''): KernelSource =>
  kernelSource(`sluice_matmul_${prefix}`, (name) =>
    [
      ...[resource('vectors.c'), defines(sizes), resource('matmul-words.c')],
      ...[`#define KERNEL ${name}`, define, resource(file)],
      ...['#undef KERNEL', '#undef ROWS', ''],
    ].join('\n'),
  );
const packSource = (): KernelSource => source('pack', 'matmul-pack.c');
const tileSource = (): KernelSource => source('tile', 'matmul-tile.c');
const rowsSource = (): KernelSource => source('rows', 'matmul-rows.c');
const dotsSource = (rows: number): KernelSource => source(`dots${rows}`, 'matmul-dots.c', `#define ROWS ${rows}`);

/** A column is a row of the transposed product, where its numbers are neighbours. */
function turnColumn(product: BlasProduct): BlasProduct {
  const { m, n, a, b, c } = product;
  if (n !== 1 || m === 1 || c.rowStride !== 1) return product;
  const turned = (x: BlasMatrix): BlasMatrix => ({ ...x, rowStride: x.columnStride, columnStride: x.rowStride });
  return { ...product, m: 1, n: m, a: turned(b), b: turned(a), c: { ...c, rowStride: m, columnStride: 1 } };
}

/** A batch whose B is the same throughout and whose A and C run on is one taller product. */
function foldBatch(product: BlasProduct): BlasProduct {
  const { batch, m, a, b, c } = product;
  if (batch === 1 || b.batchStride !== 0) return product;
  if (a.batchStride !== m * a.rowStride || c.batchStride !== m * c.rowStride) return product;
  return { ...product, batch: 1, m: batch * m };
}
