import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ByteTokenizer,
  type Device,
  generate,
  llama,
  llamaConfig,
  MemoryTokens,
  memory,
  openDevice,
  relu2,
  type StepRecord,
  swiglu,
  train,
} from '../../src/index.js';

let device: Device;
beforeAll(async () => {
  device = await openDevice('wasm', { threads: 1 });
});
afterAll(() => device.close());

const sizes = { vocabSize: 257, dim: 16, layers: 1, heads: 2, context: 16 };
const tokens = new ByteTokenizer().encode('to be or not to be, that is the question '.repeat(4));

async function collect(steps: AsyncIterable<StepRecord>): Promise<number[]> {
  const losses: number[] = [];
  for await (const { loss } of steps) losses.push(loss);
  return losses;
}

describe('a LLaMA in a few words', () => {
  test('has a gated block of two thirds of 4 dim, rounded up to 16, unless told otherwise', () => {
    const config = llamaConfig({ ...sizes, dim: 64, heads: 4 });
    expect(config).toMatchObject({ feedForward: swiglu, intermediateSize: 176, numKeyValueHeads: 4, headDim: 16 });
    expect(llamaConfig({ ...sizes, hidden: 40, kvHeads: 1 })).toMatchObject({
      intermediateSize: 40,
      numKeyValueHeads: 1,
    });
  });

  test('has a plain block of 4 dim for an activation', () => {
    expect(llamaConfig({ ...sizes, feedForward: relu2 })).toMatchObject({ feedForward: relu2, intermediateSize: 64 });
  });

  test.each([
    [{ vocabSize: 0 }, /vocabSize of a LLaMA is a whole number from 1 on, received 0/],
    [{ layers: 1.5 }, /layers of a LLaMA/],
    [{ dim: 18, heads: 4 }, /even whole number, received "18 \/ 4 = 4\.5"/],
    [{ dim: 12, heads: 4 }, /an even whole number/],
    [{ heads: 4, kvHeads: 3 }, /kvHeads divides heads 4, received 3/],
  ])('refuses %j', (wrong, message) => {
    expect(() => llamaConfig({ ...sizes, ...wrong })).toThrow(message);
  });

  test('is a function of its seed', async () => {
    const first = async (seed?: number): Promise<number> => {
      const model = llama(device, seed === undefined ? sizes : { ...sizes, seed });
      const [weight = Number.NaN] = (await model.parameters()[0]?.toArray()) ?? [];
      return weight;
    };
    expect(await first()).toBe(await first(0));
    expect(await first(1)).not.toBe(await first(0));
  });
});

describe('train', () => {
  test('takes tokens as an array or as a source, and gives the same losses', async () => {
    const losses = (source: Parameters<typeof train>[2]) =>
      collect(train(device, llama(device, sizes), source, { steps: 3 }));
    const expected = await losses(tokens);
    expect(expected).toHaveLength(3);
    expect(await losses([...tokens])).toEqual(expected);
    expect(await losses(new MemoryTokens(tokens))).toEqual(expected);
  });

  test('hears a signal that a timer gives', async () => {
    const signal = AbortSignal.timeout(100);
    const losses = await collect(train(device, llama(device, sizes), tokens, { steps: 1e9, signal }));
    expect(losses.length).toBeGreaterThan(0);
    expect(signal.aborted).toBe(true);
  });

  test('ends without an error between two steps when its signal is aborted, and keeps what it has learned', async () => {
    const [controller, model] = [new AbortController(), llama(device, sizes)];
    const weights = async (): Promise<number[]> => Array.from((await model.parameters()[0]?.toArray()) ?? []);
    const before = await weights();
    const steps: number[] = [];
    for await (const { step } of train(device, model, tokens, { steps: 9, signal: controller.signal })) {
      steps.push(step);
      if (step === 2) controller.abort();
    }
    expect(steps).toEqual([1, 2]);
    expect(await weights()).not.toEqual(before);
    const { signal } = controller;
    const pieces = generate(device, model, new ByteTokenizer(), { prompt: 'to', signal });
    await expect(pieces.next()).rejects.toBe(signal.reason);
  });

  test('gives the moments back when it ends, also by break', async () => {
    const model = llama(device, sizes);
    const trained = async (): Promise<number> => {
      for await (const { step } of train(device, model, tokens, { steps: 5 })) if (step === 2) break;
      return memory(device).keptBytes;
    };
    const before = await trained();
    const grown = (await trained()) - before;
    const momentBytes = 2 * 4 * model.parameterCount;
    expect(grown).toBeLessThan(0.1 * momentBytes); // the gradient's norm keeps some sums
  });
});
