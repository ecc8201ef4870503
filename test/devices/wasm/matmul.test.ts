import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { MatmulOptions } from '../../../src/devices/wasm/matmul.js';
import { matmul, multiplyTiles } from '../../../src/devices/wasm/matmul.js';
import { WasmRuntime } from '../../../src/devices/wasm/runtime.js';
import { allocate, allocateRandom, free, largestDifference, random, read, write } from './operands.js';

interface Case {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** How A and B lie: row by row, column by column, or with gaps between all numbers. */
  readonly a: Layout;
  readonly b: Layout;
  /** Numbers between the rows of C. */
  readonly gap: number;
  readonly alpha: number;
  readonly accumulate: boolean;
  readonly sharedB: boolean;
}

type Layout = 'rows' | 'columns' | 'strided' | 'backwards';

function strides(layout: Layout, rows: number, columns: number) {
  if (layout === 'rows') return { row: columns, column: 1, length: rows * columns, first: 0 };
  if (layout === 'columns') return { row: 1, column: rows, length: rows * columns, first: 0 };
  if (layout === 'strided') return { row: 2 * columns + 3, column: 2, length: rows * (2 * columns + 3), first: 0 };
  return { row: -columns, column: 1, length: rows * columns, first: (rows - 1) * columns };
}

/** Runs one product; returns C as computed and as float64 has it, both with the gaps between rows. */
function run(
  runtime: WasmRuntime,
  values: Case,
  multiply: (options: MatmulOptions) => void = (o) => matmul(runtime, o),
) {
  const { batch, m, n, k, gap, alpha, accumulate, sharedB, ...layouts } = values;
  const aStrides = strides(layouts.a, m, k);
  const bStrides = strides(layouts.b, k, n);
  const bBatch = sharedB ? 0 : bStrides.length;
  const a = allocateRandom(runtime, batch * aStrides.length, 1);
  const b = allocateRandom(runtime, (sharedB ? 1 : batch) * bStrides.length, 2);
  const row = n + gap;
  const c = allocateRandom(runtime, batch * m * row, 3);
  const expected = Float64Array.from(read(runtime, c));
  const options: MatmulOptions = {
    batch,
    m,
    n,
    k,
    a: {
      pointer: a.pointer + 4 * aStrides.first,
      batchStride: aStrides.length,
      rowStride: aStrides.row,
      columnStride: aStrides.column,
    },
    b: {
      pointer: b.pointer + 4 * bStrides.first,
      batchStride: bBatch,
      rowStride: bStrides.row,
      columnStride: bStrides.column,
    },
    c: { pointer: c.pointer, batchStride: m * row, rowStride: row },
    alpha,
    accumulate,
  };
  const aNumbers = read(runtime, a);
  const bNumbers = read(runtime, b);
  for (let item = 0; item < batch; item++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        const aFirst = aStrides.first + item * aStrides.length + i * aStrides.row;
        const bFirst = bStrides.first + item * bBatch + j * bStrides.column;
        for (let p = 0; p < k; p++)
          sum += (aNumbers[aFirst + p * aStrides.column] ?? 0) * (bNumbers[bFirst + p * bStrides.row] ?? 0);
        const index = (item * m + i) * row + j;
        expected[index] = alpha * sum + (accumulate ? (expected[index] ?? 0) : 0);
      }
  multiply(options);
  const got = read(runtime, c);
  free(runtime, a, b, c);
  return { got, expected };
}

const plain = { batch: 1, a: 'rows', b: 'rows', gap: 0, alpha: 1, accumulate: false, sharedB: false } as const;

/** A sum of k products below 1 is at most k, and each of its k roundings errs by up to 2^-24 of it. */
const bound = (k: number, alpha: number) => 2e-6 + 2e-7 * (1 + Math.abs(alpha)) * k;

const layouts: readonly Layout[] = ['rows', 'columns', 'strided', 'backwards'];
const pairs: readonly [Layout, Layout][] = [
  ['rows', 'rows'],
  ['rows', 'columns'],
  ['columns', 'rows'],
  ['columns', 'columns'],
  ['strided', 'backwards'],
];
const layout = fc.constantFrom(...layouts);

describe.each([
  { threads: 1, relaxed: true },
  { threads: 3, relaxed: true },
  { threads: 2, relaxed: false },
])('matmul with %o', ({ threads, relaxed }) => {
  let runtime: WasmRuntime;
  beforeAll(async () => {
    runtime = await WasmRuntime.create({ threads, relaxed });
  });
  afterAll(() => runtime.close());

  test('agrees with float64 for any size, layout, factor and batch, and writes nothing between the rows of C', () => {
    const size = fc.integer({ min: 1, max: 40 });
    const shape = fc.record({
      batch: fc.integer({ min: 1, max: 5 }),
      m: size,
      n: size,
      k: size,
      a: layout,
      b: layout,
      gap: fc.integer({ min: 0, max: 5 }),
      alpha: fc.constantFrom(1, -0.5, 2.25),
      accumulate: fc.boolean(),
      sharedB: fc.boolean(),
    });
    fc.assert(
      fc.property(shape, (values) => {
        const { got, expected } = run(runtime, values);
        expect(largestDifference(got, expected)).toBeLessThan(bound(values.k, values.alpha));
      }),
      { numRuns: 300 },
    );
  });

  const large: [number, number, number][] = [
    [130, 140, 150],
    [13, 1100, 340],
    [1500, 9, 330],
    [50, 60, 1300],
    [5, 3000, 40],
    [300, 8, 8],
    [2100, 10, 12],
    [16, 4200, 9],
    [1, 700, 300],
    [700, 1, 300],
  ];
  test.each(large)('agrees with float64 for %i by %i by %i', (m, n, k) => {
    for (const [a, b] of pairs) {
      const { got, expected } = run(runtime, { ...plain, m, n, k, a, b, accumulate: a === b, alpha: 0.5 });
      expect(largestDifference(got, expected)).toBeLessThan(bound(k, 1));
    }
  });

  test('a sum over nothing writes zeros, or leaves C when it adds', () => {
    const replaced = run(runtime, { ...plain, batch: 2, m: 3, n: 5, k: 0, gap: 2 });
    expect([...replaced.got]).toEqual([...replaced.expected]);
    const kept = run(runtime, { ...plain, m: 3, n: 5, k: 0, accumulate: true });
    expect([...kept.got]).toEqual([...kept.expected]);
  });

  test('an empty product touches nothing', () => {
    for (const empty of [{ batch: 0 }, { m: 0 }, { n: 0 }])
      expect(run(runtime, { ...plain, m: 3, n: 4, k: 5, ...empty }).got.length).toBe(0);
  });

  test('a NaN or an infinity stays in its own row or column', () => {
    for (const [m, n, k] of [
      [7, 9, 11],
      [70, 90, 110],
      [2, 90, 110],
    ] as const) {
      const a = allocateRandom(runtime, m * k, 1);
      const b = allocateRandom(runtime, k * n, 2);
      const c = allocate(runtime, m * n);
      write(runtime, a, (index) => (index === k + 3 ? Number.NaN : random(1, index)));
      write(runtime, b, (index) => (index === 5 ? Number.POSITIVE_INFINITY : random(2, index)));
      matmul(runtime, {
        ...{ batch: 1, m, n, k },
        a: { pointer: a.pointer, batchStride: 0, rowStride: k, columnStride: 1 },
        b: { pointer: b.pointer, batchStride: 0, rowStride: n, columnStride: 1 },
        c: { pointer: c.pointer, batchStride: 0, rowStride: n },
      });
      const got = read(runtime, c);
      got.forEach((value, index) => {
        const poisoned = Math.floor(index / n) === 1 || index % n === 5;
        expect(Number.isFinite(value)).toBe(!poisoned);
      });
      free(runtime, a, b, c);
    }
  });
});

test('the bits do not depend on the number of threads', async () => {
  const shapes = [
    { m: 200, n: 210, k: 700 },
    { m: 70, n: 300, k: 90 },
    { m: 1, n: 500, k: 333 },
    { m: 3, n: 1000, k: 333 },
    { m: 1000, n: 1, k: 77 },
    { m: 33, n: 35, k: 37, batch: 20 },
  ];
  const results: string[][] = [];
  for (const threads of [1, 2, 4]) {
    const runtime = await WasmRuntime.create({ threads });
    results.push(
      shapes.flatMap((shape) =>
        layouts.map((b) => {
          const { got } = run(runtime, { ...plain, ...shape, b, accumulate: true });
          return Buffer.from(got.buffer).toString('base64');
        }),
      ),
    );
    await runtime.close();
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});

const bytesOf = (result: { got: Float32Array } | undefined) => Buffer.from(result?.got.buffer ?? new ArrayBuffer(0));

test('the shape of the tile changes no bit', async () => {
  const runtime = await WasmRuntime.create({ threads: 2 });
  for (const [m, n, k] of [
    [13, 19, 23],
    [100, 110, 330],
  ] as const)
    for (const [a, b] of pairs) {
      const values = { ...plain, m, n, k, a, b, accumulate: true };
      const [first, ...others] = [
        { rows: 4, vectors: 2, steps: 1 },
        { rows: 6, vectors: 2, steps: 4 },
        { rows: 3, vectors: 3, steps: 2 },
      ].map((tile) => run(runtime, values, (options) => multiplyTiles(runtime, tile, options)));
      expect(largestDifference(first?.got ?? [], first?.expected ?? [])).toBeLessThan(bound(k, 1));
      for (const other of others) expect(Buffer.compare(bytesOf(other), bytesOf(first))).toBe(0);
    }
  await runtime.close();
});

test('nothing is read or written past the end of the memory', async () => {
  const runtime = await WasmRuntime.create({ threads: 1, maximumBytes: 8 * 2 ** 20 });
  runtime.workspace(2 ** 20);
  const empty = runtime.kernel('empty', (module) => {
    module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  });
  runtime.launch(empty, [], 1, 1, { scratchBytes: 2 ** 20 });
  runtime.arena.allocate(2 ** 20);
  runtime.arena.allocate(8 * 2 ** 20 - runtime.arena.statistics().liveBytes - 64);
  const last = runtime.arena.i32.byteLength;
  expect(() => runtime.arena.allocate(1)).toThrow(/holds at most/);
  const sizes = [1, 2, 3, 5, 8, 13, 18, 31];
  for (const m of sizes)
    for (const n of sizes)
      for (const k of sizes)
        for (const layoutOf of ['rows', 'columns'] as const)
          for (const atEnd of ['a', 'b', 'c'] as const) {
            const place = (name: string, length: number) => (name === atEnd ? last : last - 2 ** 20) - 4 * length;
            const a = strides(layoutOf, m, k);
            const b = strides(layoutOf, k, n);
            const run = () =>
              matmul(runtime, {
                ...{ batch: 1, m, n, k },
                a: { pointer: place('a', m * k), batchStride: 0, rowStride: a.row, columnStride: a.column },
                b: { pointer: place('b', k * n), batchStride: 0, rowStride: b.row, columnStride: b.column },
                c: { pointer: place('c', m * n), batchStride: 0, rowStride: n },
              });
            expect(run).not.toThrow();
          }
});
