import { describe, expect, test } from 'vitest';
import type { View } from '../../src/devices/device.js';
import { attentionWork, mapWork, matmulWork, movedWork, rowsWork, windowsWork } from '../../src/devices/work.js';
import { columnKernel, mapKernel, rowKernel } from '../../src/kernels/kernel.js';
import { variables } from '../../src/scalar/expression.js';

const [x, y] = variables('x', 'y');
const view = (shape: readonly number[], strides: readonly number[]): View => ({
  ...{ buffer: { type: 'float32', length: 1, bytes: 4 }, offset: 0, shape, strides },
});

describe('the work of', () => {
  test('a map is what it reads and writes once, what repeats counted once, and its operations', () => {
    const kernel = mapKernel({ inputs: ['x', 'y'], scalars: [], outputs: [x.mul(y).exp()] });
    const [whole, column] = [view([3, 4], [4, 1]), view([3, 4], [0, 1])];
    expect(mapWork(kernel, [whole, column], [whole])).toEqual({
      ...{ shape: [3, 4], bytes: 4 * (12 + 4 + 12), flops: 24, exponentials: 12 },
    });
  });

  test('a row or column kernel reads what it adds to', () => {
    const matrix = view([3, 4], [4, 1]);
    const operands = { rows: 3, length: 4, elements: [matrix], columns: [], perRow: [], scalars: [] };
    const row = rowKernel({ elements: ['x'], outputs: [x.mul(x).sum()] });
    const sums = { ...operands, outputs: [view([3], [1])] };
    expect(rowsWork(row, sums)).toMatchObject({ shape: [3, 4], bytes: 4 * (12 + 3) });
    const column = columnKernel({ elements: ['x'], outputs: [x] });
    expect(rowsWork(column, { ...operands, outputs: [view([4], [1])] }, true)).toMatchObject({ bytes: 4 * (12 + 8) });
  });

  test('a product is two FLOPs for each pair of numbers', () => {
    const [a, b, c] = [view([2, 3, 4], [12, 4, 1]), view([2, 4, 5], [20, 5, 1]), view([2, 3, 5], [15, 5, 1])];
    const once = { shape: [2, 3, 5, 4], flops: 2 * 2 * 3 * 4 * 5, exponentials: 0 };
    expect(matmulWork(a, b, c, false)).toEqual({ ...once, bytes: 4 * (24 + 40 + 30) });
    expect(matmulWork(a, b, c, true)).toEqual({ ...once, bytes: 4 * (24 + 40 + 60) });
  });

  test('causal attention is half of the scores, in two products forward and five backward', () => {
    const shape = { batch: 2, queryLength: 4, keyLength: 4, heads: 3, keyValueHeads: 3, headDim: 5, scale: 1 };
    const flops = (causal: boolean, direction: 'forward' | 'backward'): number =>
      attentionWork({ ...shape, causal }, direction, []).flops;
    expect(flops(false, 'forward')).toBe(2 * 2 * (2 * 3 * 4 * 4) * 5);
    expect(flops(true, 'forward')).toBe(flops(false, 'forward') / 2);
    expect(flops(true, 'backward')).toBe(2.5 * flops(true, 'forward'));
  });

  test('rows that move are read and written, and where they are added, read there too', () => {
    const [rows, indices] = [view([2, 4], [4, 1]), view([2], [1])];
    expect(movedWork(rows, indices, false)).toMatchObject({ bytes: 4 * (2 + 16), flops: 0 });
    expect(movedWork(rows, indices, true)).toMatchObject({ bytes: 4 * (2 + 24), flops: 8 });
  });

  test('windows are written from images once, and added to them where there is a sum already', () => {
    const [image, windows] = [view([1, 2, 3, 3], [18, 9, 3, 1]), view([2, 2, 2, 1, 2, 2], [16, 8, 4, 4, 2, 1])];
    expect(windowsWork(image, windows, false)).toMatchObject({ bytes: 4 * (18 + 32), flops: 0 });
    expect(windowsWork(image, windows, true, true)).toMatchObject({ bytes: 4 * (36 + 32), flops: 32 });
  });
});
