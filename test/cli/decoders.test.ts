import { cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ran, sluice } from '../support/terminal.js';
import { readJson, readMetrics, temporaryFolder, train, writeText } from './runs.js';

const folder = temporaryFolder();
const text = writeText(folder);
const start = (name: string, ...flags: string[]): Promise<Ran> =>
  train(['--data', text, '--out', join(folder, name), ...flags]);

/** The losses of a run, and the bytes of its weights. */
const outcome = (run: string): unknown => ({
  losses: readMetrics(run)
    .filter(({ loss }) => loss !== undefined)
    .map(({ step, loss }) => [step, loss]),
  weights: readFileSync(join(run, 'model.safetensors')).toString('base64'),
});

const kinds: readonly (readonly [string, readonly string[], Record<string, unknown>])[] = [
  ['gpt2', ['--dropout', '0.2'], { model_type: 'gpt2', activation_function: 'gelu_pytorch_tanh', attn_pdrop: 0.2 }],
  ['qwen2', ['--kv-heads', '1'], { model_type: 'qwen2', hidden_act: 'silu', num_key_value_heads: 1 }],
  ['gemma', ['--ffn', 'geglu'], { model_type: 'gemma', hidden_act: 'gelu_python' }],
];

describe.each(kinds)('--model %s', (name, flags, config) => {
  const run = join(folder, name);

  test('trains, and writes what Transformers reads', async () => {
    const ran = await start(name, '--model', name, ...flags, '--steps', '9', '--save-every', '3');
    expect(ran.code).toBe(0);
    expect(readJson(run, 'config.json')).toMatchObject(config);
    expect(ran.error).not.toContain('of our own');
  });

  test('goes on where it was broken off, to the same bits', async () => {
    const broken = join(folder, `${name}-broken`);
    cpSync(run, broken, { recursive: true });
    rmSync(join(broken, 'checkpoints', 'step-00000009'), { recursive: true });
    expect((await sluice(['train', '--resume', broken])).code).toBe(0);
    expect(outcome(broken)).toEqual(outcome(run));
  });

  test('is judged, continued, and opened without run.json as with it', async () => {
    const judged = await sluice(['evaluate', run, '--data', text, '--json', '--threads', '1']);
    const { loss, perplexity, bitsPerByte } = judged.json() as Record<string, number>;
    expect(perplexity).toBeCloseTo(Math.exp(loss ?? 0), 6);
    expect(bitsPerByte).toBeGreaterThan(0);
    const flags = ['--prompt', 'the ', '--max-tokens', '20', '--temperature', '0', '--json', '--threads', '1'];
    const written = (await sluice(['generate', run, ...flags])).json() as { text: string };
    expect(written.text.length).toBeGreaterThan(0);
    const foreign = join(folder, `${name}-foreign`);
    cpSync(run, foreign, { recursive: true });
    rmSync(join(foreign, 'run.json'));
    expect((await sluice(['generate', foreign, ...flags])).json()).toMatchObject({ text: written.text });
  });

  test('searches along beams, the same on every device', async () => {
    const flags = ['--prompt', 'the ', '--max-tokens', '10', '--beams', '3', '--length-penalty', '0.5', '--json'];
    const [one, other] = await Promise.all(
      ['wasm', 'reference'].map((device) => sluice(['generate', run, ...flags, '--device', device])),
    );
    const found = one?.json() as { text: string; beams: number; temperature: number };
    expect(found).toMatchObject({ beams: 3, lengthPenalty: 0.5, temperature: 0 });
    expect((other?.json() as { text: string }).text).toBe(found.text);
  });
});

describe('a block', () => {
  test.each<[string, readonly string[], RegExp]>([
    ['gated, for a GPT-2', ['--model', 'gpt2', '--ffn', 'swiglu'], /block of gpt2 is plain, received "swiglu, gated"/],
    ['plain, for a Qwen2', ['--model', 'qwen2', '--ffn', 'mlp'], /block of qwen2 is gated.*--model arcee or gpt2/],
    ['of a row function, for a Gemma', ['--model', 'gemma', '--ffn', 'solu'], /block of gemma is gated.*--model arcee/],
    [
      'with two activations',
      ['--model', 'gpt2', '--ffn', 'geglu', '--activation', 'mish'],
      /brings its own activation/,
    ],
    ['of heads that do not divide', ['--model', 'gpt2', '--heads', '3'], /heads divides dim 8, received 3/],
  ])('%s, is refused before anything is made', async (_, flags, message) => {
    const ran = await start('refused', ...flags);
    expect(ran.code).not.toBe(0);
    expect(ran.error).toMatch(message);
  });

  test('that Transformers lacks is saved as ours, which is said', async () => {
    const ran = await start('ours', '--model', 'gpt2', '--activation', 'elu');
    expect(ran.code).toBe(0);
    expect(ran.error).toMatch(/Transformers has no elu: the run is saved as a gpt2 of our own/);
    expect(readJson(folder, 'ours', 'config.json')).toMatchObject({
      activation_function: 'sluice:elu',
      sluice_feed_forward: { name: 'elu', kind: 'activation' },
    });
    rmSync(join(folder, 'ours', 'run.json'));
    const judged = await sluice(['evaluate', join(folder, 'ours'), '--data', text, '--json']);
    expect((judged.json() as { loss: number }).loss).toBeGreaterThan(0);
  });
});

describe('generate --beams', () => {
  test.each([
    [['--beams', '4', '--temperature', '0.5'], /draws nothing: temperature has no part in it, received 0.5/],
    [['--beams', '4', '--top-k', '5'], /draws nothing: topK has no part in it, received 5/],
    [['--length-penalty', '0.5'], /lengthPenalty is of a search along beams, received 0.5/],
    [['--beams', '0'], /It is a whole number from 1 to 1024/],
    [['--length-penalty', 'long'], /It is a number/],
  ])('refuses %j', async (flags, message) => {
    const ran = await sluice(['generate', join(folder, 'gpt2'), ...flags]);
    expect(ran.code).toBe(2);
    expect(ran.error).toMatch(message);
  });
});
