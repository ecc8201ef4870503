import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { KneserNey, trainKneserNey } from '../../src/data/baselines.js';
import { MemoryTokens } from '../../src/data/token-source.js';
import { failure } from './samples.js';

// Bigrams 01, 10, 02 twice, 20, 21 over a vocabulary of four.
const tiny = [0, 1, 0, 2, 0, 2, 1];

/** The definition, n-gram by n-gram from lists: nothing shared with the implementation. */
function slowProbability(
  tokens: readonly number[],
  order: number,
  size: number,
  context: readonly number[],
  token: number,
): number {
  const all: string[][] = [];
  for (let n = order; n >= 1; n--) {
    const above = all[0];
    const grams =
      above === undefined
        ? tokens.slice(order - 1).map((_, i) => tokens.slice(i, i + order).join())
        : [...new Set(above)].map((gram) => gram.split(',').slice(1).join());
    all.unshift(grams);
  }
  let probability = 1 / size;
  for (let n = 1; n <= order; n++) {
    const grams = all[n - 1] ?? [];
    const counts = new Map<string, number>();
    for (const gram of grams) counts.set(gram, (counts.get(gram) ?? 0) + 1);
    const having = (count: number): number => [...counts.values()].filter((value) => value === count).length;
    const discount = having(1) === 0 ? 0.5 : having(1) / (having(1) + 2 * having(2));
    if (context.length < n - 1) break;
    const prefix = context.slice(context.length - n + 1, context.length);
    const before = n === 1 ? '' : `${prefix.join()},`;
    const same = [...counts].filter(([gram]) => gram.startsWith(before));
    const total = same.reduce((sum, [, count]) => sum + count, 0);
    if (total === 0) continue;
    const count = counts.get(`${before}${token}`) ?? 0;
    probability = (Math.max(0, count - discount) + discount * same.length * probability) / total;
  }
  return probability;
}

describe('interpolated Kneser-Ney', () => {
  test('of order 2 is what a hand calculation gives', () => {
    const model = new KneserNey(tiny, { order: 2, vocabularySize: 4 });
    // Seen after 2, 2 and 1 distinct tokens: n1 = 1, n2 = 2. Bigrams: n1 = 4, n2 = 1.
    expect(model.discounts[0]).toBeCloseTo(1 / 5, 15);
    expect(model.discounts[1]).toBeCloseTo(4 / 6, 15);
    const unigram = [0.39, 0.39, 0.19, 0.03];
    for (const [token, expected] of unigram.entries()) expect(model.probability([], token)).toBeCloseTo(expected, 15);
    expect(model.probability([0], 1)).toBeCloseTo((1 / 3 + (4 / 3) * 0.39) / 3, 15);
    expect(model.probability([0], 2)).toBeCloseTo((4 / 3 + (4 / 3) * 0.19) / 3, 15);
    expect(model.probability([0], 3)).toBeCloseTo(((4 / 3) * 0.03) / 3, 15);
    expect(model.probability([2, 1], 0)).toBeCloseTo(1 / 3 + (2 / 3) * 0.39, 15);
    expect(model.probability([3], 0)).toBeCloseTo(0.39, 15);
  });

  test('is its definition for orders 2 and 3, and sums to one after any context', () => {
    const size = 5;
    const id = fc.integer({ min: 0, max: size - 1 });
    fc.assert(
      fc.property(
        fc.array(id, { minLength: 3, maxLength: 60 }),
        fc.array(id, { maxLength: 4 }),
        fc.constantFrom(2 as const, 3 as const),
        (tokens, context, order) => {
          const model = new KneserNey(tokens, { order, vocabularySize: size });
          let sum = 0;
          for (let token = 0; token < size; token++) {
            const probability = model.probability(context, token);
            expect(probability).toBeGreaterThan(0);
            expect(probability).toBeCloseTo(slowProbability(tokens, order, size, context, token), 12);
            sum += probability;
          }
          expect(sum).toBeCloseTo(1, 12);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('scores every held-out token but the first, in bits per token and per byte', async () => {
    const model = await trainKneserNey(new MemoryTokens(tiny), { order: 3, vocabularySize: 4 });
    const held = [2, 0, 3, 1];
    const bits = [
      [[2], 0],
      [[2, 0], 3],
      [[0, 3], 1],
    ] as const;
    const expected = bits.reduce((sum, [context, token]) => sum - Math.log2(model.probability(context, token)), 0);
    const result = await model.evaluate(new MemoryTokens(held), 5);
    expect(result.tokens).toBe(3);
    expect(result.bitsPerToken).toBeCloseTo(expected / 3, 12);
    expect(result.bitsPerByte).toBeCloseTo(expected / 5, 12);
  });

  test('scores a text longer than it reads at once as one text', async () => {
    const ids = Array.from({ length: 150_000 }, (_, i) => (i * i) % 7);
    const model = new KneserNey(ids, { order: 3, vocabularySize: 7 });
    let bits = 0;
    for (let i = 1; i < ids.length; i++)
      bits -= Math.log2(model.probability(ids.slice(Math.max(0, i - 2), i), ids[i] ?? 0));
    const { bitsPerByte } = await model.evaluate(new MemoryTokens(ids), ids.length - 1);
    expect(bitsPerByte).toBeCloseTo(bits / (ids.length - 1), 10);
  });

  test('counts no more tokens than it is told to', async () => {
    const options = { order: 2, vocabularySize: 4 } as const;
    const cut = await trainKneserNey(new MemoryTokens([...tiny, 3, 3, 3]), { ...options, maximumTokens: tiny.length });
    expect(cut.probability([3], 3)).toBe(new KneserNey(tiny, options).probability([3], 3));
  });

  test('refuses a text that is too short, an id outside the vocabulary and a vocabulary too large to count', async () => {
    const make = (tokens: number[], vocabularySize: number) => () =>
      new KneserNey(tokens, { order: 3, vocabularySize });
    expect(make([1, 2], 4)).toThrow(expect.objectContaining({ code: 'data' }));
    expect(make([1, 2, 4], 4)).toThrow(expect.objectContaining({ code: 'argument' }));
    expect(make(tiny, 300_000)).toThrow(/at most 208063 tokens.*order 2/);
    const model = make(tiny, 4)();
    expect(await failure(model.evaluate(new MemoryTokens([1]), 1))).toMatchObject({ code: 'data' });
    expect(await failure(model.evaluate(new MemoryTokens([1, 2]), 0))).toMatchObject({ code: 'data' });
  });
});
