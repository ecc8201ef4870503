import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import { exampleAt } from '../../src/data/examples.js';
import { copySigns, drawAdding, drawCopy } from '../../src/data/sequence-tasks.js';

const key = randomKey(7, 'noise');
const mean = (values: Iterable<number>): number => {
  const all = [...values];
  return all.reduce((sum, value) => sum + value, 0) / all.length;
};

describe('the adding problem', () => {
  const drawn = drawAdding({ count: 2000, length: 11, key });

  test('asks for the sum of the two marked numbers, one of either half', () => {
    for (let i = 0; i < 200; i++) {
      const steps = exampleAt(drawn, i);
      const marked = Array.from({ length: 11 }, (_, step) => step).filter((step) => steps[2 * step + 1] === 1);
      expect(marked).toHaveLength(2);
      const [first = -1, second = -1] = marked;
      expect(first < 5 && second >= 5).toBe(true);
      expect(drawn.targets[i]).toBeCloseTo((steps[2 * first] ?? 0) + (steps[2 * second] ?? 0), 6);
    }
  });

  test('marks every step about as often as the others of its half', () => {
    const times = Array.from({ length: 11 }, (_, step) =>
      mean(Array.from({ length: 2000 }, (_x, i) => exampleAt(drawn, i)[2 * step + 1] ?? 0)),
    );
    times.forEach((share, step) => {
      expect(Math.abs(share - (step < 5 ? 1 / 5 : 1 / 6))).toBeLessThan(0.035);
    });
  });

  test('has a mean squared error of 1/6 where 1 is always said', () => {
    expect(Math.abs(mean(drawn.targets) - 1)).toBeLessThan(0.03);
    expect(Math.abs(mean(Float32Array.from(drawn.targets, (target) => (target - 1) ** 2)) - 1 / 6)).toBeLessThan(0.015);
  });

  test('depends on its key alone', () => {
    expect(drawAdding({ count: 2000, length: 11, key })).toEqual(drawn);
    expect(drawAdding({ count: 2000, length: 11, key: randomKey(8, 'noise') })).not.toEqual(drawn);
  });
});

describe('the copy task', () => {
  test('shows symbols, waits, gives the sign to begin, and asks for the symbols from there on', () => {
    const drawn = drawCopy({ count: 50, symbols: 3, delay: 4, key });
    expect(drawn).toMatchObject({ count: 50, width: 10, targetWidth: 3 });
    for (let i = 0; i < 50; i++) {
      const steps = exampleAt(drawn, i);
      const signs = Array.from({ length: 10 }, (_, step) => {
        const hot = Array.from(steps.subarray(10 * step, 10 * step + 10));
        expect(hot.filter((value) => value === 1)).toHaveLength(1);
        return copySigns[hot.indexOf(1)];
      });
      const wanted = Array.from(drawn.targets.subarray(3 * i, 3 * i + 3), (target) => copySigns[target]);
      expect(signs).toEqual([...wanted, ...['blank', 'blank', 'blank', 'blank'], 'begin', 'blank', 'blank']);
    }
    expect(new Set(drawn.targets).size).toBe(8);
  });

  test('may have no delay', () => {
    expect(drawCopy({ count: 1, symbols: 1, delay: 0, key }).offsets).toEqual(Int32Array.of(0, 2));
  });
});
