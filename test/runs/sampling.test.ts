import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import {
  checkSampling,
  type GenerationSettings,
  generationDefaults,
  greedy,
  type SamplingOptions,
  sample,
} from '../../src/runs/sampling.js';

const key = randomKey(2, 'sampling');
const logits = [2, 1, 0, -1, 3];
const all: SamplingOptions = { ...greedy, temperature: 1 };
const draws = 20_000;

function shares(options: Partial<SamplingOptions>, seen: readonly number[] = []): number[] {
  const counts = logits.map(() => 0);
  for (let i = 0; i < draws; i++) {
    const id = sample(logits, seen, { ...all, ...options }, key, i);
    counts[id] = (counts[id] ?? 0) + 1;
  }
  return counts.map((count) => count / draws);
}
const softmax = (values: readonly number[]): number[] => {
  const weights = values.map(Math.exp);
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
};
function expectShares(actual: readonly number[], wanted: readonly number[]): void {
  for (const [i, share] of wanted.entries()) {
    expect(Math.abs((actual[i] ?? 0) - share)).toBeLessThanOrEqual(5 * Math.sqrt((share * (1 - share)) / draws));
  }
}

describe('sampling', () => {
  test('draws by the softmax', () => {
    expectShares(shares({}), softmax(logits));
  });

  test('at another temperature draws by the softmax of the scaled logits', () => {
    expectShares(shares({ temperature: 0.5 }), softmax(logits.map((logit) => logit / 0.5)));
    expectShares(shares({ temperature: 3 }), softmax(logits.map((logit) => logit / 3)));
  });

  test('takes the likeliest at a temperature of 0, the first of equal ones', () => {
    expect(sample(logits, [], greedy, key, 0)).toBe(4);
    expect(sample([1, 3, 3], [], greedy, key, 0)).toBe(1);
  });

  test('keeps the k likeliest', () => {
    const [a = 0, , , , b = 0] = softmax(logits);
    expectShares(shares({ topK: 2 }), [a / (a + b), 0, 0, 0, b / (a + b)]);
    expect(shares({ topK: 1 })).toEqual([0, 0, 0, 0, 1]);
    expectShares(shares({ topK: 100 }), softmax(logits));
  });

  test('keeps the fewest tokens that have the probability asked for', () => {
    // 0.64 and 0.23, then 0.09
    const [a = 0, b = 0, , , c = 0] = softmax(logits);
    expectShares(shares({ topP: 0.8 }), [a / (a + c), 0, 0, 0, c / (a + c)]);
    expectShares(shares({ topP: 0.9 }), [a / (a + b + c), b / (a + b + c), 0, 0, c / (a + b + c)]);
    expect(shares({ topP: 1e-9 })).toEqual([0, 0, 0, 0, 1]);
  });

  test('leaves out what is unlikely beside the likeliest', () => {
    const [a = 0, b = 0, , , c = 0] = softmax(logits);
    // Beside the likeliest the others have exp(-1), exp(-2), exp(-3), exp(-4).
    expectShares(shares({ minP: 0.1 }), [a / (a + b + c), b / (a + b + c), 0, 0, c / (a + b + c)]);
  });

  test('makes seen tokens less likely, whatever the sign of their logits', () => {
    expectShares(shares({ repetitionPenalty: 2 }, [4, 3, 4]), softmax([2, 1, 0, -2, 1.5]));
  });

  test('depends on the key and the index alone', () => {
    const sequence = (seed: number): number[] =>
      Array.from({ length: 30 }, (_, i) => sample(logits, [], all, randomKey(seed, 'sampling'), i));
    expect(sequence(1)).toEqual(sequence(1));
    expect(sequence(1)).not.toEqual(sequence(2));
  });

  test('takes float32 logits and leaves them as they are', () => {
    const values = Float32Array.from(logits);
    sample(values, [0, 1], { ...all, repetitionPenalty: 2 }, key, 0);
    expect([...values]).toEqual(logits);
  });

  test('never draws what has no probability', () => {
    for (let i = 0; i < 1000; i++) expect(sample([0, Number.NEGATIVE_INFINITY, 0], [], all, key, i)).not.toBe(1);
  });

  test('refuses logits that are not numbers', () => {
    expect(() => sample([Number.NaN, Number.NaN], [], all, key, 0)).toThrow(/finite logits/);
    expect(() => sample([1, Number.NaN, 2], [], all, key, 0)).toThrow(/finite logits/);
    expect(() => sample([1, Number.POSITIVE_INFINITY], [], all, key, 0)).toThrow(/finite logits/);
    expect(() => sample([], [], all, key, 0)).toThrow(/finite logits/);
  });

  test.each<[Partial<GenerationSettings>, RegExp]>([
    [{ temperature: -0.1 }, /temperature is at least 0/],
    [{ temperature: Number.NaN }, /temperature is at least 0, received NaN/],
    [{ temperature: Number.POSITIVE_INFINITY }, /temperature is at least 0, received Infinity/],
    [{ topK: -1 }, /topK is a whole number/],
    [{ topK: 1.5 }, /topK is a whole number/],
    [{ topP: 0 }, /topP is above 0 and at most 1/],
    [{ topP: 1.1 }, /topP is above 0/],
    [{ minP: 1 }, /minP is at least 0 and below 1/],
    [{ repetitionPenalty: 0 }, /repetitionPenalty is positive, received 0\. Write for example 1\./],
    [{ maxTokens: 0 }, /maxTokens is a whole number from 1 on, received 0\. Write for example 200\./],
    [{ maxTokens: 1.5 }, /maxTokens is a whole number/],
    [{ seed: -1 }, /seed is a whole number from 0 on, received -1\. Write for example 0\./],
    [{ seed: 2 ** 60 }, /seed is a whole number/],
  ])('%o are refused', (options, message) => {
    expect(() => checkSampling({ ...generationDefaults, ...options })).toThrow(message);
  });

  test('has defaults that it does not refuse', () => {
    expect(() => checkSampling(generationDefaults)).not.toThrow();
    expect(() => checkSampling({ ...generationDefaults, ...greedy })).not.toThrow();
  });

  test('finds the kept tokens of a large vocabulary whichever way they are found', () => {
    const many = Array.from({ length: 2000 }, (_, id) => Math.log(1 / (id + 1)));
    const total = many.reduce((sum, logit) => sum + Math.exp(logit), 0);
    const kept = (topP: number): number => {
      let [covered, count] = [0, 0];
      while (covered < topP * total) covered += Math.exp(many[count++] ?? 0);
      return count;
    };
    for (const topP of [0.3, 0.6, 0.9, 0.999]) {
      const drawn = Array.from({ length: 300 }, (_, i) => sample(many, [], { ...all, topP }, key, i));
      expect(Math.max(...drawn)).toBeLessThan(kept(topP));
      expect(new Set(drawn).size).toBeGreaterThan(Math.min(8, kept(topP) - 1));
    }
  });
});
