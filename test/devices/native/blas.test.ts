import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BlasMatrix, type BlasProduct, blasMatmul } from '../../../src/devices/native/blas.js';
import { Builder } from '../../../src/devices/native/builder.js';
import { findBlas } from '../../../src/devices/native/find-blas.js';
import { NativeRuntime } from '../../../src/devices/native/runtime.js';
import { hasCompiler, randomValues } from '../../support/devices.js';

/** Looked for as the device does: undefined where there is none. */
async function blasHere() {
  const builder = await Builder.open();
  return findBlas(await builder.runtime(), builder.folder);
}
const hasBlas = hasCompiler && (await blasHere()) !== undefined;

interface Layout {
  readonly isTurned: boolean;
  /** Numbers between neighbouring rows, or columns, and between matrices. */
  readonly gap: number;
  /** One matrix serves the whole batch. */
  readonly isShared: boolean;
}

/** Numbers of a matrix of a batch in memory of its own, and where they are. */
function matrixOf(runtime: NativeRuntime, shape: readonly [number, number, number], layout: Layout, seed: number) {
  const [batch, rows, columns] = shape;
  const { isTurned, gap, isShared } = layout;
  const line = (isTurned ? rows : columns) + gap;
  const stride = line * (isTurned ? columns : rows) + gap;
  const values = Float32Array.from(randomValues((isShared ? 1 : batch) * stride, seed, 1));
  const address = runtime.arena.allocate(4 * values.length);
  runtime.library.copyIn(address, values, values.byteLength);
  const place: BlasMatrix = {
    ...{ address, batchStride: isShared ? 0 : stride },
    ...{ rowStride: isTurned ? 1 : line, columnStride: isTurned ? line : 1 },
  };
  const index = (z: number, i: number, j: number): number =>
    z * place.batchStride + i * place.rowStride + j * place.columnStride;
  return { place, values, index };
}

const layout = fc.record({ isTurned: fc.boolean(), gap: fc.nat(5), isShared: fc.boolean() });
const size = fc.oneof(fc.integer({ min: 1, max: 70 }), fc.constantFrom(1, 16, 17, 64));
const cases = fc.record({
  ...{ batch: fc.integer({ min: 1, max: 5 }), m: size, n: size, k: size },
  ...{ a: layout, b: layout, gap: fc.nat(5), accumulate: fc.boolean() },
});

describe.skipIf(!hasBlas)('products by the BLAS (skipped where there is none)', () => {
  test.each([
    1, 2, 3,
  ])('are those of the definition, whatever the batch and the strides, on %i threads', async (threads) => {
    const runtime = await NativeRuntime.open({ threads });
    await fc.assert(
      fc.asyncProperty(cases, async ({ batch, m, n, k, a, b, gap, accumulate }) => {
        const left = matrixOf(runtime, [batch, m, k], a, 1);
        const right = matrixOf(runtime, [batch, k, n], b, 2);
        const result = matrixOf(runtime, [batch, m, n], { isTurned: false, gap, isShared: false }, 3);
        const product: BlasProduct = {
          ...{ batch, m, n, k, accumulate, a: left.place, b: right.place, c: result.place },
        };
        expect(blasMatmul(runtime, product)).toBe(true);
        await runtime.settled();
        const got = new Float32Array(result.values.length);
        runtime.library.copyOut(got, result.place.address, got.byteLength);
        const expected = Float64Array.from(result.values);
        for (let z = 0; z < batch; z++)
          for (let i = 0; i < m; i++)
            for (let j = 0; j < n; j++) {
              const at = result.index(z, i, j);
              let sum = accumulate ? (result.values[at] ?? 0) : 0;
              for (let p = 0; p < k; p++) {
                sum += (left.values[left.index(z, i, p)] ?? 0) * (right.values[right.index(z, p, j)] ?? 0);
              }
              expected[at] = sum;
            }
        const wrong = got.findIndex((value, at) => !(Math.abs(value - (expected[at] ?? 0)) <= 2e-6 + 4e-7 * k));
        expect(wrong).toBe(-1);
        for (const { place } of [left, right, result]) runtime.arena.free(place.address);
      }),
      { numRuns: 60, seed: 1 },
    );
    await runtime.close();
  });

  test('are none of strides that no BLAS has', async () => {
    const runtime = await NativeRuntime.open({ threads: 1 });
    const place = { address: runtime.arena.allocate(4096), batchStride: 0, rowStride: 8, columnStride: 2 };
    const plain = { ...place, columnStride: 1 };
    const product = { batch: 1, m: 3, n: 3, k: 3, accumulate: false };
    expect(blasMatmul(runtime, { ...product, a: place, b: plain, c: plain })).toBe(false);
    expect(blasMatmul(runtime, { ...product, a: plain, b: place, c: plain })).toBe(false);
    expect(
      blasMatmul(runtime, { ...product, a: plain, b: plain, c: { ...plain, rowStride: 1, columnStride: 8 } }),
    ).toBe(false);
    await runtime.close();
  });
});
