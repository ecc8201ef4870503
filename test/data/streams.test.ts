import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import { ignoreIndex, streamBatch, streamedBatches } from '../../src/data/batches.js';
import { MemoryTokens } from '../../src/data/token-source.js';
import { collect } from './samples.js';

const counting = (length: number): MemoryTokens => new MemoryTokens(Array.from({ length }, (_, i) => i));
const key = randomKey(42, 'shuffle');

describe('a text read in order', () => {
  const shape = { batch: 2, context: 4, rows: 4, key };
  const at = (step: number, first = 0) => streamBatch(counting(101), { ...shape, first, step });

  test('goes on in each row where the step before ended, until a pass is over', async () => {
    for (let step = 1; step < 13; step++) {
      const [before, now] = [await at(step - 1), await at(step)];
      expect(now.isFirst).toBe(step % 6 === 0);
      if (!now.isFirst) expect([now.inputs[0], now.inputs[4]]).toEqual([before.targets[3], before.targets[7]]);
    }
  });

  test('gives each row, of all micro-batches, a stretch of its own', async () => {
    const starts: number[] = [];
    for (const first of [0, 2]) for (const place of [0, 4]) starts.push((await at(0, first)).inputs[place] ?? 0);
    expect(starts.map((start) => Math.floor(start / 25))).toEqual([0, 1, 2, 3]);
  });

  test('that is too short for all rows is refused with its length', async () => {
    const short = streamBatch(counting(16), { ...shape, first: 0, step: 0 });
    await expect(short).rejects.toThrow(/4 rows of 4 tokens read in order must have at least 17 tokens.*16 tokens/);
  });
});

describe('an evaluation in order', () => {
  test.each([
    [50, 3, 4, undefined],
    [8, 3, 4, undefined],
    [2, 4, 4, undefined],
    [50, 3, 4, 20],
  ])('of %i tokens by %i rows of %i (%s) has each target once, behind the one before', async (length, batch, context, maximumTokens) => {
    const options = { batch, context, ...(maximumTokens === undefined ? {} : { maximumTokens }) };
    const batches = await collect(streamedBatches(counting(length), options));
    const rows = Array.from({ length: batch }, (_, row) =>
      batches
        .flatMap(({ targets }) => [...targets.subarray(row * context, (row + 1) * context)])
        .filter((id) => id !== ignoreIndex),
    );
    const wanted = Array.from({ length: maximumTokens ?? length - 1 }, (_, i) => i + 1);
    expect(rows.flat()).toEqual(wanted);
    expect(batches.reduce((sum, { tokens }) => sum + tokens, 0)).toBe(wanted.length);
  });
});
