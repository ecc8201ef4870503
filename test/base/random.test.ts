import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  randomInteger,
  randomKey,
  randomNormal,
  randomUniform,
  randomWord,
  type Stream,
  streams,
  threefry,
} from '../../src/base/random.js';

/** The known answers of Random123 for Threefry-2x32 with 20 rounds. */
test.each([
  ['zeros', [0, 0], [0, 0], [0x6b200159, 0x99ba4efe]],
  ['ones', [0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], [0x1cb996fc, 0xbb002be7]],
  ['the digits of pi', [0x13198a2e, 0x03707344], [0x243f6a88, 0x85a308d3], [0xc4923a9c, 0x483df7a0]],
])('threefry of %s is the published one', (_, [k0 = 0, k1 = 0], [c0 = 0, c1 = 0], words) => {
  expect(threefry(k0, k1, c0, c1)).toEqual(words);
});

const names = Object.keys(streams) as Stream[];
const seeds = fc.oneof(fc.nat(), fc.maxSafeNat());
const keyText = (seed: number, stream: Stream, step: number): string => {
  const { k0, k1 } = randomKey(seed, stream, step);
  return `${k0} ${k1}`;
};

describe('a key', () => {
  test('differs for distinct seeds, streams and steps', () => {
    const keys = new Set<string>();
    for (const seed of [0, 1, 1337, 2 ** 32, 2 ** 32 + 1, 2 ** 53 - 1]) {
      for (const stream of names) {
        for (const step of [0, 1, 2, 4096, 2 ** 32, 2 ** 40 + 1]) keys.add(keyText(seed, stream, step));
      }
    }
    expect(keys.size).toBe(6 * names.length * 6);
  });

  test('depends on every bit of the seed and of the step', () => {
    fc.assert(
      fc.property(seeds, seeds, fc.constantFrom(...names), (a, b, stream) => {
        fc.pre(a !== b);
        expect(keyText(a, stream, 7)).not.toBe(keyText(b, stream, 7));
        expect(keyText(7, stream, a)).not.toBe(keyText(7, stream, b));
      }),
    );
  });

  test('is the same every time', () => {
    expect(keyText(5, 'dropout', 9)).toBe(keyText(5, 'dropout', 9));
  });
});

const key = randomKey(3, 'noise');
const count = 1 << 16;

describe('draws', () => {
  test('are the two words of a block in turn', () => {
    expect([randomWord(key, 10), randomWord(key, 11)]).toEqual(threefry(key.k0, key.k1, 5, 0));
    const far = 2 ** 33 + 2 ** 34;
    expect(randomWord(key, far)).toBe(threefry(key.k0, key.k1, 0, 3)[0]);
  });

  test('are uniform: mean, variance, cells and neighbours', () => {
    const cells = new Float64Array(256);
    let [sum, squares, neighbours, before] = [0, 0, 0, 0.5];
    for (let i = 0; i < count; i++) {
      const u = randomUniform(key, i);
      if (!(u >= 0 && u < 1 && u === Math.fround(u))) expect.fail(`${u} at ${i}`);
      cells[Math.floor(u * 256)] = (cells[Math.floor(u * 256)] ?? 0) + 1;
      sum += u;
      squares += (u - 0.5) ** 2;
      neighbours += (u - 0.5) * (before - 0.5);
      before = u;
    }
    // Five standard deviations each.
    expect(Math.abs(sum / count - 0.5)).toBeLessThan(5 * Math.sqrt(1 / 12 / count));
    expect(Math.abs(squares / count - 1 / 12)).toBeLessThan(5 * Math.sqrt(1 / 180 / count));
    expect(Math.abs(neighbours / count)).toBeLessThan(5 / 12 / Math.sqrt(count));
    const chiSquare = cells.reduce((total, cell) => total + (cell - count / 256) ** 2 / (count / 256), 0);
    expect(Math.abs(chiSquare - 255)).toBeLessThan(5 * Math.sqrt(2 * 255));
  });

  test('are normal: the moments and the share within one deviation', () => {
    const values = Float64Array.from({ length: count }, (_, i) => randomNormal(key, i));
    const moment = (power: number): number => values.reduce((sum, x) => sum + x ** power, 0) / count;
    expect(Math.abs(moment(1))).toBeLessThan(5 / Math.sqrt(count));
    expect(Math.abs(moment(2) - 1)).toBeLessThan(5 * Math.sqrt(2 / count));
    expect(Math.abs(moment(3))).toBeLessThan(5 * Math.sqrt(15 / count));
    expect(Math.abs(moment(4) - 3)).toBeLessThan(5 * Math.sqrt(96 / count));
    const inside = values.filter((x) => Math.abs(x) < 1).length / count;
    expect(Math.abs(inside - 0.682689)).toBeLessThan(5 * Math.sqrt(0.22 / count));
    expect(values.every(Number.isFinite)).toBe(true);
  });

  test('of integers stay below the limit and reach every one', () => {
    const seen = new Set(Array.from({ length: 2000 }, (_, i) => randomInteger(key, i, 100)));
    expect([seen.size, Math.min(...seen), Math.max(...seen)]).toEqual([100, 0, 99]);
    fc.assert(
      fc.property(fc.nat(1e6), fc.maxSafeNat(), (index, limit) => {
        const drawn = randomInteger(key, index, limit + 1);
        expect(Number.isInteger(drawn) && drawn >= 0 && drawn <= limit).toBe(true);
      }),
    );
    const large = Array.from({ length: 64 }, (_, i) => randomInteger(key, i, 2 ** 53));
    expect(large.some((value) => value > 2 ** 52)).toBe(true);
    expect(large.some((value) => value % 2 === 1)).toBe(true);
  });

  test('of different keys are not related', () => {
    const other = randomKey(3, 'noise', 1);
    let product = 0;
    for (let i = 0; i < count; i++) product += (randomUniform(key, i) - 0.5) * (randomUniform(other, i) - 0.5);
    expect(Math.abs(product / count)).toBeLessThan(5 / 12 / Math.sqrt(count));
  });
});
