import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { RotaryEmbedding } from '../../src/layers/rope.js';
import { gradcheck } from '../../src/tensor/index.js';
import { normal, rowsOf, valuesOf } from './support.js';

const device = await openReference();
const [positions, heads, headDim, theta] = [7, 3, 6, 10_000];
const rope = new RotaryEmbedding(device, positions, headDim, theta);

/** Component j and j + headDim / 2 as a complex number, times e^(i angle). */
function rotate(row: readonly number[], position: number): number[] {
  const half = row.length / 2;
  const turned = Array.from({ length: half }, (_, j) => {
    const angle = position / theta ** ((2 * j) / row.length);
    const [re = 0, im = 0] = [row[j], row[j + half]];
    return { re: re * Math.cos(angle) - im * Math.sin(angle), im: re * Math.sin(angle) + im * Math.cos(angle) };
  });
  return [...turned.map(({ re }) => re), ...turned.map(({ im }) => im)];
}

describe('rotary embedding', () => {
  test.each([0, 2])('turns pairs as complex numbers, from position %i on', async (start) => {
    const time = positions - start;
    const x = normal(device, [2, time, heads, headDim]);
    const wanted = rowsOf(await valuesOf(x), headDim).flatMap((row, i) =>
      rotate(row, start + (Math.floor(i / heads) % time)),
    );
    (await valuesOf(rope.forward(x, start))).forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] ?? 0, 13);
    });
  });

  test('makes products of queries and keys depend on their distance alone', async () => {
    const [query, key] = [normal(device, [1, 1, 1, headDim], 1), normal(device, [1, 1, 1, headDim], 2)];
    const product = async (i: number, j: number): Promise<number> => {
      const [q, k] = [await valuesOf(rope.forward(query, i)), await valuesOf(rope.forward(key, j))];
      return q.reduce((sum, value, c) => sum + value * (k[c] ?? 0), 0);
    };
    expect(await product(5, 3)).toBeCloseTo(await product(2, 0), 13);
    expect(await product(6, 1)).toBeCloseTo(await product(5, 0), 13);
  });

  test('refuses more positions than it has, and heads of odd width', () => {
    expect(() => rope.forward(normal(device, [1, 4, heads, headDim]), 4)).toThrow(/at most 7 positions, received 8/);
    expect(() => new RotaryEmbedding(device, 4, 5, theta)).toThrow(/even width, received 5/);
  });

  test('has the gradients of central differences', async () => {
    const x = normal(device, [1, 2, 2, 4]);
    x.requiresGrad = true;
    const small = new RotaryEmbedding(device, 3, 4, 100);
    await gradcheck((input) => small.forward(input, 1), [x]);
  });
});
