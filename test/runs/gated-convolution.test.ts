import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { openWasm } from '../../src/devices/wasm/device.js';
import { complete, presetFor } from '../../src/runs/complete.js';
import { generate } from '../../src/runs/generate.js';
import { openRun } from '../../src/runs/open-run.js';
import type { PartialSettings } from '../../src/runs/settings.js';
import { resumeRun, startRun } from '../../src/runs/start-run.js';
import { taskNamed } from '../../src/runs/tasks.js';

const folder = mkdtempSync(join(tmpdir(), 'sluice-gated-conv-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const data = join(folder, 'text.txt');
writeFileSync(data, 'to be or not to be, that is the question\n'.repeat(40));

const settingsOf = (more: PartialSettings = {}) =>
  complete({
    ...{ data, model: 'gated-conv', tokenizer: 'char', dim: 16, layers: 2, context: 16, batch: 4, lr: 1e-2 },
    ...{ steps: 40, evalEvery: 100, saveEvery: 100, device: 'wasm', threads: 1, ...more },
  });
const weights = (run: string): Uint8Array => readFileSync(join(run, 'model.safetensors'));

describe('a run of a gated convolution', () => {
  test.each<[string, PartialSettings]>([
    ['with its gate', {}],
    ['with an activation in its place, and dropout', { ffn: 'mlp', activation: 'x*sigmoid(1.3*x)', dropout: 0.1 }],
    ['with a gate of any activation', { activation: 'prelu', kernel: 2 }],
  ])('%s that is resumed gives the same bits as an unbroken one, and writes on', async (name, more) => {
    const settings = settingsOf(more);
    const [whole, broken] = [join(folder, `${name} whole`), join(folder, `${name} broken`)];
    for await (const _ of startRun(settings, { out: whole }));
    const stop = new AbortController();
    for await (const event of startRun(settings, { out: broken, signal: stop.signal }))
      if (event.kind === 'step' && event.record.step === 7) stop.abort();
    expect(weights(broken)).not.toEqual(weights(whole));
    for await (const _ of resumeRun(broken));
    expect(weights(broken)).toEqual(weights(whole));

    const device = await openWasm({ threads: 1 });
    const { model, tokenizer, design, record } = await openRun(broken, device);
    expect(design).toMatchObject({ context: 16, vocabSize: tokenizer.vocabularySize });
    expect(design.formula.toJSON()).toEqual(record.feedForward);
    let text = '';
    // More than a window: it has no bound of positions.
    const options = { prompt: 'to be ', maxTokens: 40, temperature: 0 };
    for await (const piece of generate(device, model, tokenizer, options)) text += piece.text;
    expect(text).toHaveLength(40);
    const judge = await taskNamed('causal').judge({ folder: broken, record, device });
    const { details } = await judge.judge({ batch: 4 });
    expect(details).toMatchObject({ loss: expect.any(Number), tokens: expect.any(Number) });
    expect(Number(details['loss'])).toBeLessThan(2);
    await judge.close();
    model.dispose();
    await device.close();
  });
});

describe('the settings of a gated convolution', () => {
  test.each<[PartialSettings, PartialSettings]>([
    [{}, { ffn: 'glu', kernel: 4 }],
    [{ ffn: 'swiglu' }, { ffn: 'swiglu' }],
    [{ activation: 'tanh' }, { ffn: 'gated', activation: 'tanh' }],
    [
      { ffn: 'mlp', activation: 'relu' },
      { ffn: 'mlp', activation: 'relu' },
    ],
  ])('%j make %j', (given, wanted) => {
    expect(complete({ data, model: 'gated-conv', ...given })).toMatchObject({ model: 'gated-conv', ...wanted });
  });

  test.each<[PartialSettings, RegExp]>([
    [{ heads: 4 }, /gated-conv for causal takes no heads, received 4/],
    [{ hidden: 64 }, /takes no hidden/],
    [{ ffn: 'swiglu', activation: 'relu' }, /--ffn swiglu brings its own activation, received "--activation relu"/],
    [{ task: 'rings' }, /rings is learned by mlp or perceptron, received "--model gated-conv"/],
  ])('refuse %j in one error', (given, message) => {
    expect(() => settingsOf(given)).toThrow(message);
  });

  test('kernel is of no use to a LLaMA, nor pooling to text, nor a LeNet to tables', () => {
    expect(() => complete({ data, kernel: 3 })).toThrow(/llama for causal takes no kernel/);
    expect(() => complete({ data, pooling: 'max' })).toThrow(/takes no pooling/);
    expect(() => complete({ task: 'mnist', model: 'lenet1989', pooling: 'max' })).toThrow(/takes no pooling/);
    expect(() => complete({ data, model: 'lenet' })).toThrow(/causal is learned by llama or .*gated-conv/);
    expect(() => complete({ task: 'rings', model: 'lenet' })).toThrow(/rings is learned by mlp or perceptron/);
  });

  test('of a preset are those that it has a use for', () => {
    const preset = presetFor('demo', { model: 'gated-conv' });
    expect(preset).toMatchObject({ data: 'demo', dim: 96, layers: 3 });
    expect(preset).not.toHaveProperty('heads');
    expect(presetFor('demo', {})).toHaveProperty('heads');
  });
});
