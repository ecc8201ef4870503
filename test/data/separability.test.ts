import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomKey, randomNormal } from '../../src/base/random.js';
import { feasiblePoint } from '../../src/data/linear-program.js';
import { separability } from '../../src/data/separability.js';
import { drawPoints, toyTaskNames, toyTasks } from '../../src/data/toy-tasks.js';

/** The examples as points with their class. */
function pointsOf(name: keyof typeof toyTasks, count: number): [number[][], boolean[]] {
  const { inputs, targets } = drawPoints(toyTasks[name], count, randomKey(3, 'noise'));
  const points = Array.from({ length: count }, (_, i) => Array.from(inputs.subarray(2 * i, 2 * i + 2)));
  return [points, Array.from(targets, (target) => target === 1)];
}

const cloud = (count: number, width: number, seed: number): number[][] =>
  Array.from({ length: count }, (_, i) =>
    Array.from({ length: width }, (_x, j) => randomNormal(randomKey(seed, 'noise'), i * width + j)),
  );

describe('a linear program', () => {
  test('finds shares that add up to the goal', () => {
    const { point } = feasiblePoint(
      [
        [1, 0],
        [0, 1],
        [1, 1],
      ],
      [2, 3],
    );
    const [a = 0, b = 0, c = 0] = point ?? [];
    expect([a + c, b + c]).toEqual([2, 3]);
    expect(Math.min(a, b, c)).toBeGreaterThanOrEqual(0);
  });

  test('shows by prices that there are none', () => {
    const columns = [
      [1, -1],
      [2, -1],
    ];
    const { point, prices } = feasiblePoint(columns, [1, 1]);
    expect(point).toBeUndefined();
    for (const [a = 0, b = 0] of columns) expect((prices[0] ?? 0) * a + (prices[1] ?? 0) * b).toBeLessThanOrEqual(1e-9);
    expect((prices[0] ?? 0) + (prices[1] ?? 0)).toBeGreaterThan(0);
  });

  test('does not go round in circles where everything is degenerate', () => {
    const columns = Array.from({ length: 60 }, (_, i) => [i % 3, i % 2, (i % 5) - 2, 1]);
    expect(feasiblePoint(columns, [0, 0, 0, 1]).point).toBeDefined();
  });
});

describe('classes are linearly separable', () => {
  test.each(toyTaskNames)('not where they are %s, as a point in both hulls shows', (name) => {
    const [points, isSecond] = pointsOf(name, 400);
    const result = separability(points, isSecond);
    expect(result.separable).toBe(false);
    if (result.separable) return;
    const [first, second] = result.mixed;
    expect(first.every((i) => isSecond[i] === false) && second.every((i) => isSecond[i] === true)).toBe(true);
    expect(first.length + second.length).toBeLessThanOrEqual(4);
    // The point lies within the second class's examples too: no direction has it beyond all of them.
    for (const angle of Array.from({ length: 64 }, (_, k) => (k * Math.PI) / 32)) {
      const along = ([x = 0, y = 0]: readonly number[]): number => x * Math.cos(angle) + y * Math.sin(angle);
      for (const part of [first, second]) {
        expect(along(result.common)).toBeLessThanOrEqual(Math.max(...part.map((i) => along(points[i] ?? []))) + 1e-9);
      }
    }
  });

  test('where a hyperplane has them on its two sides, in any number of dimensions', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 2, max: 60 }),
        fc.nat(1000),
        (width, count, seed) => {
          const [normal = []] = cloud(1, width, seed + 5000);
          const points = cloud(count, width, seed);
          const side = (point: readonly number[]): number =>
            point.reduce((sum, x, j) => sum + x * (normal[j] ?? 0), 0.1);
          const isSecond = points.map((point) => side(point) > 0);
          if (isSecond.every((second) => second) || !isSecond.includes(true)) return;
          const result = separability(points, isSecond);
          expect(result.separable).toBe(true);
          if (!result.separable) return;
          points.forEach((point, i) => {
            const place = point.reduce((sum, x, j) => sum + x * (result.weight[j] ?? 0), result.bias);
            expect(isSecond[i] === true ? place : -place).toBeGreaterThanOrEqual(result.margin * (1 - 1e-9));
          });
        },
      ),
      { numRuns: 60, seed: 1 },
    );
  });

  test('however far from the origin and of whatever scale they are', () => {
    const points = [
      [1e6, 1e-6],
      [1e6 + 1, 1e-6],
      [1e6, 3e-6],
      [1e6 + 1, 3e-6],
    ];
    expect(separability(points, [false, false, true, true]).separable).toBe(true);
    expect(separability(points, [false, true, true, false]).separable).toBe(false);
  });

  test('not where an example is in both classes, nor where one lies on the edge of the other class', () => {
    expect(
      separability(
        [
          [0, 0],
          [1, 1],
          [1, 1],
        ],
        [false, false, true],
      ).separable,
    ).toBe(false);
    expect(
      separability(
        [
          [0, 0],
          [2, 0],
          [1, 0],
        ],
        [false, false, true],
      ).separable,
    ).toBe(false);
  });
});
