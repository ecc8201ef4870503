import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Device, View } from '../../../src/devices/device.js';
import { openNative } from '../../../src/devices/native/device.js';
import { hasCompiler, place, randomValues } from '../../support/devices.js';

type Layout = 'rows' | 'columns' | 'strided' | 'backwards';
const layouts: readonly Layout[] = ['rows', 'columns', 'strided', 'backwards'];

interface Case {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a: Layout;
  readonly b: Layout;
  /** Numbers between the rows of C. */
  readonly gap: number;
  readonly accumulate: boolean;
  /** B repeats over the batch. */
  readonly shared: boolean;
}
const plain = { batch: 1, a: 'rows', b: 'rows', gap: 0, accumulate: false, shared: false } as const;

function strides(layout: Layout, rows: number, columns: number) {
  if (layout === 'rows') return { row: columns, column: 1, length: rows * columns, first: 0 };
  if (layout === 'columns') return { row: 1, column: rows, length: rows * columns, first: 0 };
  if (layout === 'strided') return { row: 2 * columns + 3, column: 2, length: rows * (2 * columns + 3), first: 0 };
  return { row: -columns, column: 1, length: rows * columns, first: (rows - 1) * columns };
}

/** Drawing millions of numbers anew would take longer than what is tested. */
const pool = randomValues(8191, 1, 1);
const drawn = (length: number, seed: number): number[] =>
  Array.from({ length }, (_, i) => pool[(seed * 1009 + i) % pool.length] ?? 0);

interface Matrix {
  readonly view: View;
  /** In row-major order, batch by batch. */
  readonly dense: Float64Array;
}

function matrix(
  device: Device,
  [batch, rows, columns]: readonly [number, number, number],
  layout: Layout,
  seed: number,
  shared = false,
): Matrix {
  const { row, column, length, first } = strides(layout, rows, columns);
  const values = drawn((shared ? 1 : batch) * length, seed);
  const { buffer } = place(device, [values.length], values);
  const stride = shared ? 0 : length;
  const dense = new Float64Array(batch * rows * columns);
  for (let z = 0, next = 0; z < batch; z++)
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) dense[next++] = values[z * stride + first + i * row + j * column] ?? 0;
  return { view: { buffer, offset: first, shape: [batch, rows, columns], strides: [stride, row, column] }, dense };
}

/** C as computed and as float64 has it, both with the gaps between rows. */
async function run(device: Device, { batch, m, n, k, gap, accumulate, shared, ...layout }: Case) {
  const a = matrix(device, [batch, m, k], layout.a, 1);
  const b = matrix(device, [batch, k, n], layout.b, 2, shared);
  const row = n + gap;
  const before = drawn(batch * m * row, 3);
  const whole = place(device, [before.length], before);
  const c = { ...whole, shape: [batch, m, n], strides: [m * row, row, 1] };
  device.matmul(a.view, b.view, c, accumulate);
  const got = await device.read(whole);
  for (const { buffer } of [a.view, b.view, whole]) device.free(buffer);
  const exact = (): Float64Array => {
    const expected = Float64Array.from(before);
    for (let z = 0; z < batch; z++)
      for (let i = 0; i < m; i++)
        for (let j = 0; j < n; j++) {
          const index = (z * m + i) * row + j;
          let sum = accumulate ? (before[index] ?? 0) : 0;
          for (let l = 0; l < k; l++) sum += (a.dense[(z * m + i) * k + l] ?? 0) * (b.dense[(z * k + l) * n + j] ?? 0);
          expected[index] = sum;
        }
    return expected;
  };
  return { got, exact };
}

/** A sum of k products below 1 is at most k, and each of its k roundings errs by up to 2^-24 of it. */
const bound = (k: number): number => 2e-6 + 4e-7 * k;

function largestDifference(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs((got[i] ?? Number.NaN) - (expected[i] ?? Number.NaN));
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}

const pairs = layouts.flatMap((a) => layouts.map((b) => [a, b] as const));

describe.skipIf(!hasCompiler).each([1, 3])('our own products on %i threads', (threads) => {
  let device: Device;
  beforeAll(async () => {
    device = await openNative({ threads, deterministic: true });
  });
  afterAll(() => device.close());
  const check = async (values: Case): Promise<void> => {
    const { got, exact } = await run(device, values);
    const worst = largestDifference(got, exact());
    if (!(worst <= bound(values.k))) expect({ ...values, worst }).toEqual('within rounding');
  };

  test.each(pairs)('A by %s and B by %s', async (a, b) => {
    for (const [m, n, k] of [
      [1, 1, 1],
      [2, 5, 3],
      [5, 2, 17],
      [13, 19, 23],
      [14, 32, 16],
      [15, 33, 40],
      [70, 100, 65],
      [57, 300, 130],
      [130, 70, 400],
    ] as const)
      for (const accumulate of [false, true]) await check({ ...plain, m, n, k, a, b, accumulate, gap: 3 });
  });

  test.each([...Array(34).keys()].map((i) => i + 1))('every height and width near a tile: %i', async (size) => {
    for (const other of [1, 7, 31, 64]) {
      await check({ ...plain, m: size, n: other, k: 9 });
      await check({ ...plain, m: other, n: size, k: 9, b: 'columns' });
      await check({ ...plain, m: 6, n: other, k: size, a: 'columns' });
    }
  });

  test('few rows, both ways, longer than a block', async () => {
    for (const m of [1, 2, 3, 4, 5])
      for (const b of ['rows', 'columns'] as const)
        for (const [n, k] of [
          [2500, 33],
          [33, 2500],
          [1, 100],
        ] as const)
          for (const accumulate of [false, true]) await check({ ...plain, m, n, k, b, accumulate, gap: 1 });
  });

  test('a column in, a column out', async () => {
    for (const a of layouts) for (const k of [1, 30, 700]) await check({ ...plain, m: 90, n: 1, k, a });
  });

  test('sums longer than a part, and operands packed in every way', async () => {
    for (const [m, n, k] of [
      [20, 700, 800],
      [200, 1100, 300],
      [600, 130, 500],
      [1000, 40, 12],
    ] as const)
      for (const [a, b] of [
        ['rows', 'columns'],
        ['columns', 'rows'],
      ] as const)
        await check({ ...plain, m, n, k, a, b, accumulate: true });
  });

  test('batches, with one B for all or one each', async () => {
    for (const shared of [false, true])
      for (const [m, n, k] of [
        [3, 5, 4],
        [40, 50, 60],
        [1, 70, 30],
        [60, 800, 500],
      ] as const)
        await check({ ...plain, batch: 5, m, n, k, b: 'columns', shared });
  });

  test('nothing to sum leaves zeros, or what was there; nothing to write writes nothing', async () => {
    const zeros = await run(device, { ...plain, m: 3, n: 4, k: 0 });
    expect([...zeros.got]).toEqual(Array.from({ length: 12 }, () => 0));
    const kept = await run(device, { ...plain, m: 3, n: 4, k: 0, accumulate: true });
    expect([...kept.got]).toEqual([...kept.exact()]);
    for (const empty of [{ batch: 0 }, { m: 0 }, { n: 0 }])
      expect((await run(device, { ...plain, m: 3, n: 4, k: 5, ...empty })).got.length).toBe(0);
  });

  test('a NaN or an infinity stays in its own row or column', async () => {
    for (const [m, n, k] of [
      [7, 9, 11],
      [70, 90, 110],
      [2, 90, 110],
    ] as const)
      for (const b of ['rows', 'columns'] as const) {
        const left = randomValues(m * k, 1).map((value, index) => (index === k + 3 ? Number.NaN : value));
        const turned = strides(b, k, n);
        const infinite = 5 * turned.column;
        const right = randomValues(k * n, 2).map((value, index) =>
          index === infinite ? Number.POSITIVE_INFINITY : value,
        );
        const x = place(device, [1, m, k], left);
        const y = { ...place(device, [1, k, n], right), strides: [0, turned.row, turned.column] };
        const c = place(device, [1, m, n], randomValues(m * n, 3));
        device.matmul(x, y, c, false);
        (await device.read(c)).forEach((value, index) => {
          expect(Number.isFinite(value)).toBe(!(Math.floor(index / n) === 1 || index % n === 5));
        });
      }
  });
});

test.skipIf(!hasCompiler)('with deterministic, the bits do not depend on the number of threads', async () => {
  const shapes = [
    { m: 200, n: 210, k: 700 },
    { m: 70, n: 300, k: 90 },
    { m: 1, n: 1500, k: 333 },
    { m: 3, n: 1000, k: 333 },
    { m: 1000, n: 1, k: 77 },
    { m: 300, n: 1000, k: 300 },
    { m: 33, n: 35, k: 37, batch: 20 },
    { m: 400, n: 70, k: 500, a: 'columns' },
  ] as const;
  const results: string[][] = [];
  for (const threads of [1, 2, 3]) {
    const device = await openNative({ threads, deterministic: true });
    const bits: string[] = [];
    for (const shape of shapes)
      for (const b of layouts) {
        const { got } = await run(device, { ...plain, ...shape, b, accumulate: true });
        bits.push(Buffer.from(got.buffer).toString('base64'));
      }
    results.push(bits);
    await device.close();
  }
  expect(results[1]).toEqual(results[0]);
  expect(results[2]).toEqual(results[0]);
});
