import { afterAll, describe, expect, test } from 'vitest';
import { relu2, swiglu } from '../../src/activations/index.js';
import { MemoryTokens } from '../../src/data/token-source.js';
import type { Device } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { type Llama, type LlamaOptions, llama } from '../../src/models/llama.js';
import { memory, tensor } from '../../src/tensor/index.js';
import { evaluate } from '../../src/training/evaluate.js';
import { train } from '../../src/training/train.js';
import { type StepRecord, Trainer, type TrainerOptions } from '../../src/training/trainer.js';
import { errorOf } from '../formats/make-safetensors.js';
import { valuesOf } from '../layers/support.js';
import { smallModel, text, vocabSize } from './support.js';

const reference = await openReference();
const wasm = await openWasm({ threads: 2 });
afterAll(() => Promise.all([reference, wasm].map((device) => device.close())));

const base: TrainerOptions = { batch: 4, context: 6, accumulate: 1, seed: 3 };
const weightsOf = (model: Llama): Promise<number[][]> => Promise.all(model.parameters().map(valuesOf));

interface Ran {
  readonly losses: number[];
  readonly weights: number[][];
  readonly records: StepRecord[];
}

async function run(
  device: Device,
  steps: number,
  options: Partial<TrainerOptions>,
  model: Partial<LlamaOptions> = {},
): Promise<Ran> {
  const small = smallModel(device, model);
  const trainer = new Trainer(device, small, text, { ...base, ...options });
  const records: StepRecord[] = [];
  for (let i = 0; i < steps; i++) records.push(await trainer.step(0.01));
  return { losses: records.map(({ loss }) => loss), weights: await weightsOf(small), records };
}

describe('training', () => {
  test('lowers the loss, on both devices alike', async () => {
    const [exact, fast] = [await run(reference, 40, {}), await run(wasm, 40, {})];
    expect(exact.losses[0]).toBeCloseTo(Math.log(vocabSize), 1);
    expect(exact.losses.slice(-5).reduce((sum, loss) => sum + loss / 5, 0)).toBeLessThan(1.8);
    exact.losses.forEach((loss, i) => {
      expect(fast.losses[i]).toBeCloseTo(loss, 3);
    });
  });

  test('in four micro-batches of 2 is training in one batch of 8', async () => {
    const [parts, whole] = [
      await run(reference, 6, { accumulate: 4, batch: 2 }),
      await run(reference, 6, { batch: 8 }),
    ];
    parts.losses.forEach((loss, i) => {
      expect(Math.abs(loss - (whole.losses[i] ?? 0))).toBeLessThan(1e-10);
    });
    parts.weights.flat().forEach((weight, i) => {
      expect(Math.abs(weight - (whole.weights.flat()[i] ?? 0))).toBeLessThan(1e-10);
    });
    expect(parts.records.map(({ tokens }) => tokens)).toEqual(whole.records.map(({ tokens }) => tokens));
  });

  test.each<[string, Partial<LlamaOptions>]>([
    ['llama', {}],
    ['with dropout', { dropout: 0.2 }],
    ['arcee', { feedForward: relu2 }],
  ])('gives the same bits for one thread and for two: %s', async (_, model) => {
    const sizes = { dim: 64, heads: 4, kvHeads: 2, hidden: 96, layers: 2, context: 32, ...model };
    const runs: Ran[] = [];
    for (const threads of [1, 2]) {
      const device = await openWasm({ threads });
      runs.push(await run(device, 6, { batch: 8, context: 32, accumulate: 2 }, sizes));
      await device.close();
    }
    expect(runs[1]?.losses).toEqual(runs[0]?.losses);
    expect(runs[1]?.weights).toEqual(runs[0]?.weights);
  });

  test('is the same every time, and another one for another seed', async () => {
    const options = { dropout: 0.1 };
    const [first, again, other] = [
      await run(wasm, 4, {}, options),
      await run(wasm, 4, {}, options),
      await run(wasm, 4, { seed: 4 }, options),
    ];
    expect(again).toMatchObject({ losses: first.losses, weights: first.weights });
    expect(other.losses).not.toEqual(first.losses);
  });

  test('goes on from a later step with the draws of that step', async () => {
    const whole = await run(reference, 3, {}, { dropout: 0.3 });
    const model = smallModel(reference, { dropout: 0.3 });
    const trainer = new Trainer(reference, model, text, base);
    await trainer.step(0.01);
    const resumed = new Trainer(reference, model, text, base, trainer.done);
    for (const [name, state] of resumed.optimizer.state()) {
      const before = trainer.optimizer.state().get(name);
      if (before !== undefined) state.write(before.detach());
    }
    const losses = [(await resumed.step(0.01)).loss, (await resumed.step(0.01)).loss];
    expect(losses).toEqual(whole.losses.slice(1));
    expect(await weightsOf(model)).toEqual(whole.weights);
  });

  test('trains what an activation learns', async () => {
    const model = smallModel(reference, { feedForward: swiglu.with({ beta: 'learned' }) });
    const trainer = new Trainer(reference, model, text, base);
    for (let i = 0; i < 5; i++) await trainer.step(0.01);
    const beta = model.namedParameters().find(({ name }) => name.endsWith('act_fn.beta'));
    expect(beta?.decay).toBe(false);
    const [value = 1] = beta === undefined ? [] : await valuesOf(beta.tensor);
    expect(Math.abs(value - 1)).toBeGreaterThan(1e-4);
  });

  test('tells step, tokens, rate and norm', async () => {
    const { records } = await run(reference, 2, { accumulate: 2 });
    expect(records.map(({ step, tokens, learningRate }) => [step, tokens, learningRate])).toEqual([
      [1, 48, 0.01],
      [2, 96, 0.01],
    ]);
    for (const { gradientNorm, seconds, tokensPerSecond, skipped } of records) {
      expect(gradientNorm).toBeGreaterThan(0);
      expect(tokensPerSecond * seconds).toBeCloseTo(48, 6);
      expect(skipped).toBeUndefined();
    }
  });

  test('is not changed by a rehearsal', async () => {
    const model = smallModel(reference);
    const trainer = new Trainer(reference, model, text, base);
    await trainer.rehearse();
    await trainer.rehearse();
    expect(trainer.done).toBe(0);
    const losses = [(await trainer.step(0.01)).loss, (await trainer.step(0.01)).loss];
    const plain = await run(reference, 2, {});
    expect(losses).toEqual(plain.losses);
    expect(await weightsOf(model)).toEqual(plain.weights);
  });

  test('of a text that is too short is refused', async () => {
    const trainer = new Trainer(reference, smallModel(reference), new MemoryTokens([1, 2, 3]), base);
    const error = await errorOf(() => trainer.step(0.01));
    expect([error.code, error.message]).toEqual(['data', expect.stringContaining('at least 7 tokens')]);
  });
});

describe('a step without a finite loss', () => {
  test('changes nothing and says so; ten in a row stop the training', async () => {
    const model = smallModel(wasm);
    const trainer = new Trainer(wasm, model, text, base);
    await trainer.step(0.01);
    const [norm] = model.parameters().slice(-1);
    if (norm === undefined) throw new Error('a model has parameters');
    const good = await valuesOf(norm);
    norm.write(good.with(0, Number.POSITIVE_INFINITY));
    const before = await weightsOf(model);
    for (let i = 0; i < 9; i++) {
      const { skipped, loss } = await trainer.step(0.01);
      expect(skipped).toBe(true);
      expect(loss).not.toBeLessThan(1e30);
    }
    expect(await weightsOf(model)).toEqual(before);
    // One good step starts the count anew.
    norm.write(good);
    expect((await trainer.step(0.01)).skipped).toBeUndefined();
    norm.write(good.with(0, Number.NaN));
    const last = await weightsOf(model);
    for (let i = 0; i < 9; i++) await trainer.step(0.01);
    const error = await errorOf(() => trainer.step(0.01));
    expect(error.code).toBe('diverged');
    expect(error.message).toMatch(/10 steps in a row.*"step":21.*Lower lr/);
    expect(await weightsOf(model)).toEqual(last);
    expect(await trainer.optimizer.applied.item()).toBe(2);
  });
});

describe('a steady loop', () => {
  test.each([
    ['one batch', { accumulate: 1 }, {}],
    ['micro-batches and dropout', { accumulate: 3 }, { dropout: 0.1 }],
  ])('holds the same memory from step 20 to step 120: %s', async (_, options, model) => {
    const trainer = new Trainer(wasm, smallModel(wasm, model), text, { ...base, ...options });
    const bytes: unknown[] = [];
    for (let step = 1; step <= 120; step++) {
      await trainer.step(0.01);
      const { liveBytes, reservedBytes, buffers } = memory(wasm);
      if (step >= 20) bytes.push({ liveBytes, reservedBytes, buffers });
    }
    expect(new Set(bytes.map((at) => JSON.stringify(at))).size).toBe(1);
  });

  test('with evaluations in between holds the same memory', async () => {
    const model = smallModel(wasm);
    const trainer = new Trainer(wasm, model, text, base);
    const bytes: number[] = [];
    for (let step = 1; step <= 40; step++) {
      await trainer.step(0.01);
      await evaluate(wasm, model, text, new Int32Array(vocabSize).fill(1), { batch: 4, context: 6 });
      if (step >= 10) bytes.push(memory(wasm).liveBytes + memory(wasm).reservedBytes);
    }
    expect(new Set(bytes).size).toBe(1);
  });
});

describe('an evaluation', () => {
  const lengths = Int32Array.from({ length: vocabSize }, (_, id) => 1 + (id % 3));

  test('is the mean over all tokens but the first, whatever the batches', async () => {
    const model = smallModel(reference);
    const one = await evaluate(reference, model, text, lengths, { batch: 1, context: 8 });
    const many = await evaluate(reference, model, text, lengths, { batch: 7, context: 8 });
    expect(many.loss).toBeCloseTo(one.loss, 12);
    expect([one.tokens, many.tokens]).toEqual([599, 599]);
    const ids = await text.read(1, 599);
    const bytes = Array.from(ids).reduce((sum, id) => sum + (lengths[id] ?? 0), 0);
    expect(one.bytes).toBe(bytes);
    expect(one.perplexity).toBeCloseTo(Math.exp(one.loss), 12);
    expect(one.bitsPerByte).toBeCloseTo((one.loss * 599) / Math.LN2 / bytes, 12);
  });

  test('tells its progress and can be ended', async () => {
    const model = smallModel(reference);
    const shares: number[] = [];
    await evaluate(reference, model, text, lengths, {
      batch: 4,
      context: 8,
      onProgress: (share) => shares.push(share),
    });
    expect(shares.at(-1)).toBe(1);
    expect(shares.toSorted((a, b) => a - b)).toEqual(shares);
    const signal = AbortSignal.abort();
    await expect(evaluate(reference, model, text, lengths, { batch: 4, context: 8, signal })).rejects.toThrow();
  });
});

describe('train', () => {
  const options = { steps: 6, batch: 4, context: 6, seed: 3 };

  test('yields a record each step and stops after the last', async () => {
    const model = smallModel(reference);
    const steps: number[] = [];
    const rates: number[] = [];
    for await (const { step, learningRate } of train(reference, model, text, { ...options, lr: 0.01, warmup: 2 })) {
      steps.push(step);
      rates.push(learningRate);
    }
    expect(steps).toEqual([1, 2, 3, 4, 5, 6]);
    expect(rates[0]).toBeCloseTo(0.005, 15);
    expect(rates[2]).toBe(0.01);
    expect(rates[5]).toBeLessThan(0.004);
  });

  test('takes tokens as they are, and ends when its signal is aborted', async () => {
    const controller = new AbortController();
    const steps: number[] = [];
    const ids = Array.from(await text.read(0, 100));
    const model = llama(reference, { vocabSize, dim: 4, layers: 1, heads: 1, context: 6 });
    for await (const { step } of train(reference, model, ids, { ...options, signal: controller.signal })) {
      steps.push(step);
      if (step === 2) controller.abort();
    }
    expect(steps).toEqual([1, 2]);
  });

  test('gives back what its optimizer held', async () => {
    const model = smallModel(wasm);
    tensor(wasm, [1]);
    for await (const _ of train(wasm, model, text, { ...options, steps: 1 })) break;
    const { keptBytes } = memory(wasm);
    for await (const _ of train(wasm, model, text, { ...options, steps: 3 }));
    expect(memory(wasm).keptBytes).toBe(keptBytes);
  });
});
