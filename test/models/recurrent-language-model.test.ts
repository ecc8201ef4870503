import { afterAll, describe, expect, test } from 'vitest';
import { cellNames } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { Mode } from '../../src/layers/mode.js';
import { recurrentLanguageModel } from '../../src/models/recurrent-language-model.js';
import { sequenceModel } from '../../src/models/sequence-model.js';
import { concat, memory, tensor } from '../../src/tensor/index.js';
import { evaluate } from '../../src/training/evaluate.js';
import { Trainer, type TrainerOptions } from '../../src/training/trainer.js';
import { normal, valuesOf } from '../layers/support.js';
import { expectNear } from '../tensor/devices.js';
import { text, vocabSize } from '../training/support.js';

const reference = await openReference();
const wasm = await openWasm({ threads: 2 });
afterAll(() => Promise.all([reference, wasm].map((device) => device.close())));
const quiet = Mode.evaluation();
const byteLengths = new Int32Array(vocabSize).fill(1);

describe.each(cellNames)('a language model of %s cells', (cell) => {
  const build = (device = wasm) =>
    recurrentLanguageModel(device, { cell, vocabSize, hidden: 12, layers: 2, dropout: 0.1 });
  const options: TrainerOptions = { batch: 4, context: 10, accumulate: 2, seed: 3 };

  test('learns, and is judged with the state carried on', async () => {
    const model = build();
    const before = await evaluate(wasm, model, text, byteLengths, { batch: 4, context: 10 });
    const trainer = new Trainer(wasm, model, text, options);
    for (let step = 0; step < 60; step++) await trainer.step(0.02);
    const after = await evaluate(wasm, model, text, byteLengths, { batch: 4, context: 10 });
    expect(before.loss).toBeGreaterThan(2.3);
    expect(after.loss).toBeLessThan(1.4);
    expect(after.tokens).toBe(599);
  });

  test('says token by token what it says of a whole text', async () => {
    const model = build(reference);
    const tokens = tensor(reference, Int32Array.from([1, 3, 7, 2, 5, 11]), [1, 6]);
    const whole = model.forward(tokens, quiet);
    const caches = model.makeCaches(1);
    const parts = [tokens.slice(1, 0, 3), ...tokens.slice(1, 3).chunk(3, 1)].map((part) =>
      model.forward(part.contiguous(), quiet, caches),
    );
    expectNear(await valuesOf(concat(parts, 1)), await valuesOf(whole));
    expect(caches[0]?.length).toBe(6);
  });

  test('goes on bit for bit from weights, optimizer and what it carried', async () => {
    const straight = new Trainer(wasm, build(), text, options);
    for (let step = 0; step < 5; step++) await straight.step(0.01);
    const saved = new Map<string, number[]>();
    for (const [name, one] of [...straight.optimizer.state(), ...straight.carried()])
      saved.set(name, await valuesOf(one));
    const weights = await Promise.all(straight.model.parameters().map(valuesOf));
    expect([...straight.carried().keys()]).toContain('carried.1.0.h');
    const resumed = new Trainer(wasm, build(), text, options, 5);
    for (const [i, parameter] of resumed.model.parameters().entries()) parameter.write(weights[i] ?? []);
    for (const [name, one] of [...resumed.optimizer.state(), ...resumed.carried()]) one.write(saved.get(name) ?? []);
    for (let step = 0; step < 12; step++) {
      expect((await resumed.step(0.01)).loss).toBe((await straight.step(0.01)).loss);
    }
  });

  test('trains in bounded memory', async () => {
    const trainer = new Trainer(wasm, build(), text, options);
    const live: number[] = [];
    for (let step = 0; step < 8; step++) {
      await trainer.step(0.01);
      live.push(memory(wasm).liveBytes);
    }
    expect(new Set(live.slice(3)).size).toBe(1);
  });
});

describe('a model of sequences', () => {
  test('answers once, or at each step', () => {
    const x = normal(reference, [3, 5, 2]);
    const last = sequenceModel(reference, { inputs: 2, hidden: 4, outputs: 3, bidirectional: true });
    expect(last.forward(x, quiet, { lengths: [5, 1, 2] }).output.shape).toEqual([3, 3]);
    const each = sequenceModel(reference, { cell: 'gru', inputs: 2, hidden: 4, outputs: 3, answers: 'each' });
    expect(each.forward(x, quiet).output.shape).toEqual([3, 5, 3]);
  });

  test('answers from the last real step, whatever padding holds', async () => {
    const model = sequenceModel(reference, { inputs: 2, hidden: 4, outputs: 1, layers: 2 });
    const x = normal(reference, [2, 4, 2]);
    const padded = concat([x, tensor(reference, new Array(8).fill(Number.NaN), [2, 2, 2])], 1);
    const { output } = model.forward(padded, quiet, { lengths: [4, 4] });
    expectNear(await valuesOf(output), await valuesOf(model.forward(x, quiet).output));
  });

  test('reads tokens where it has a vocabulary', () => {
    const model = sequenceModel(reference, { inputs: 3, vocabSize: 7, hidden: 4, outputs: 7, answers: 'each' });
    const tokens = tensor(reference, Int32Array.from([1, 2, 3, 4, 5, 6]), [2, 3]);
    expect(model.forward(tokens, quiet).output.shape).toEqual([2, 3, 7]);
    expect(() => sequenceModel(reference, { inputs: 3, hidden: 4, outputs: 7, answers: 'all' as 'each' })).toThrow(
      /answers is one of last, mean, each/,
    );
  });
});
