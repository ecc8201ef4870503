import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import { ignoreIndex, sampleBatch, sequentialBatches, targetBytes } from '../../src/data/batches.js';
import { ByteTokenizer } from '../../src/data/byte-tokenizer.js';
import { MemoryTokens } from '../../src/data/token-source.js';
import { tokenByteLengths } from '../../src/data/tokenizer.js';
import { collect, failure } from './samples.js';

const counting = (length: number): MemoryTokens => new MemoryTokens(Array.from({ length }, (_, i) => i));
const key = randomKey(42, 'shuffle');

describe('a random batch', () => {
  test('has windows of neighbours, its targets one token ahead', async () => {
    const { inputs, targets } = await sampleBatch(counting(1000), { batch: 5, context: 8, key, step: 3 });
    expect([inputs.length, targets.length]).toEqual([40, 40]);
    for (let i = 0; i < 40; i++) {
      expect(targets[i]).toBe((inputs[i] ?? 0) + 1);
      if (i % 8 > 0) expect(inputs[i]).toBe((inputs[i - 1] ?? 0) + 1);
    }
  });

  test('depends on seed and step only, and differs between them', async () => {
    const starts = async (seed: number, step: number): Promise<number[]> => {
      const options = { batch: 4, context: 1, key: randomKey(seed, 'shuffle'), step };
      return [...(await sampleBatch(counting(100_000), options)).inputs];
    };
    const drawn = [await starts(1, 0), await starts(1, 1), await starts(2, 0), await starts(1, 2 ** 40)];
    expect(await starts(1, 1)).toEqual(drawn[1]);
    expect(new Set(drawn.flat()).size).toBe(16);
  });

  test('reaches the first window and the last, and none outside', async () => {
    const seen = new Set<number>();
    for (let step = 0; step < 40; step++) {
      for (const id of (await sampleBatch(counting(6), { batch: 4, context: 3, key, step })).inputs) seen.add(id);
    }
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
    const only = await sampleBatch(counting(4), { batch: 1, context: 3, key, step: 0 });
    expect([...only.inputs, ...only.targets]).toEqual([0, 1, 2, 1, 2, 3]);
  });

  test('needs a text longer than its context', async () => {
    const error = await failure(sampleBatch(counting(256), { batch: 2, context: 256, key, step: 0 }));
    expect(error).toMatchObject({ code: 'data' });
    expect(String(error)).toMatch(
      /at least 257 tokens for a context of 256, received "256 tokens"\. Use a longer text, or a context of 255\./,
    );
  });

  test.each([
    [0, 8],
    [4, 0],
    [1.5, 8],
    [4, -1],
  ])('refuses the shape [%d, %d]', async (batch, context) => {
    expect(await failure(sampleBatch(counting(100), { batch, context, key, step: 0 }))).toMatchObject({
      code: 'argument',
    });
    expect(await failure(collect(sequentialBatches(counting(100), { batch, context })))).toMatchObject({
      code: 'argument',
    });
  });
});

describe('sequential batches', () => {
  test('make every token but the first a target exactly once, in order, each after its predecessor', async () => {
    const size = fc.integer({ min: 1, max: 7 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 2, max: 100 }), size, size, async (length, batch, context) => {
        const seen: number[] = [];
        for (const { inputs, targets, tokens } of await collect(
          sequentialBatches(counting(length), { batch, context }),
        )) {
          expect([inputs.length, targets.length]).toEqual([batch * context, batch * context]);
          const real = [...targets].filter((target) => target !== ignoreIndex);
          expect(real.length).toBe(tokens);
          for (const [i, target] of real.entries()) expect(inputs[i]).toBe(target - 1);
          seen.push(...real);
        }
        expect(seen).toEqual(Array.from({ length: length - 1 }, (_, i) => i + 1));
      }),
    );
  });

  test('pad the last window with ignored targets', async () => {
    const [batch] = await collect(sequentialBatches(counting(6), { batch: 2, context: 4 }));
    expect([...(batch?.inputs ?? [])]).toEqual([0, 1, 2, 3, 4, 0, 0, 0]);
    expect([...(batch?.targets ?? [])]).toEqual([1, 2, 3, 4, 5, -100, -100, -100]);
  });

  test('stop at the tokens asked for, rounded up to whole windows', async () => {
    const batches = await collect(sequentialBatches(counting(1000), { batch: 2, context: 10, maximumTokens: 45 }));
    expect(batches.map(({ tokens }) => tokens)).toEqual([20, 20, 10]);
    const all = await collect(sequentialBatches(counting(12), { batch: 2, context: 10, maximumTokens: 45 }));
    expect(all.map(({ tokens }) => tokens)).toEqual([11]);
  });

  test('need two tokens', async () => {
    expect(await failure(collect(sequentialBatches(counting(1), { batch: 1, context: 4 })))).toMatchObject({
      code: 'data',
    });
  });

  test('count the bytes of their targets, specials and ignored ones as none', () => {
    const lengths = tokenByteLengths(new ByteTokenizer());
    expect(targetBytes(Int32Array.of(0x41, 256, ignoreIndex, 0xe9), lengths)).toBe(2);
  });
});
