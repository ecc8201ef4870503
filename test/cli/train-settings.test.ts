import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { presetNamed } from '../../src/runs/presets.js';
import { sluice } from '../support/terminal.js';
import { readJson, temporaryFolder, train, writeText } from './runs.js';

const folder = temporaryFolder();
const text = writeText(folder);
let made = 0;
const out = (): string => join(folder, `run-${made++}`);

afterEach(() => {
  delete process.env['SLUICE_SEED'];
  delete process.env['SLUICE_DEVICE'];
});

describe('settings', () => {
  const settingsOf = async (
    args: readonly string[],
    base: readonly string[] = [],
  ): Promise<Record<string, unknown>> => {
    const run = out();
    const { code, error } = await sluice(['train', ...base, '--out', run, '--quiet', ...args]);
    expect([code, error]).toEqual([0, '']);
    return (readJson(run, 'run.json') as { settings: Record<string, unknown> }).settings;
  };
  const config = join(folder, 'config.json');
  const small = {
    data: text,
    dim: 8,
    layers: 1,
    heads: 2,
    hidden: 8,
    context: 8,
    batch: 2,
    tokenizer: 'byte',
    steps: 2,
  };

  test('of flags beat the environment, which beats the config file, which beats the preset', async () => {
    writeFileSync(
      config,
      JSON.stringify({ ...small, preset: 'demo', kvHeads: 2, seed: 5, lr: 0.5, weightDecay: 0.2, device: 'wasm' }),
    );
    process.env['SLUICE_SEED'] = '6';
    process.env['SLUICE_DEVICE'] = 'reference';
    expect(await settingsOf(['--config', config, '--lr', '0.25'])).toMatchObject({
      lr: 0.25,
      seed: 6,
      device: 'reference',
      weightDecay: 0.2,
      evalEvery: presetNamed('demo').evalEvery,
    });
    expect(await settingsOf(['--config', config, '--seed', '9', '--device', 'wasm'])).toMatchObject({
      seed: 9,
      device: 'wasm',
    });
  });

  test('of a length replace every length of the layers below', async () => {
    writeFileSync(config, JSON.stringify({ ...small, kvHeads: 2, preset: 'demo' }));
    const byFile = await settingsOf(['--config', config]);
    expect([byFile['steps'], byFile['time'], byFile['epochs']]).toEqual([2, undefined, undefined]);
    const byFlag = await settingsOf(['--config', config, '--epochs', '0.02']);
    expect([byFlag['time'], byFlag['epochs']]).toEqual([undefined, 0.02]);
    const preset = await settingsOf(
      ['--preset', 'demo', '--steps', '1'],
      [
        '--data',
        text,
        '--dim',
        '8',
        '--heads',
        '2',
        '--layers',
        '1',
        '--context',
        '8',
        '--kv-heads',
        '1',
        '--tokenizer',
        'byte',
      ],
    );
    expect([preset['steps'], preset['time']]).toEqual([1, undefined]);
  });

  test.each<[readonly string[], string, string, number]>([
    [[], 'llama', 'swiglu', 32],
    [['--ffn', 'gated', '--activation', 'gelu'], 'llama', 'geglu', 32],
    [['--activation', 'mish'], 'llama', 'mishGate', 32],
    [['--ffn', 'mlp'], 'arcee', 'relu2', 32],
    [['--model', 'arcee'], 'arcee', 'relu2', 32],
    [['--model', 'arcee', '--activation', 'gelu'], 'arcee', 'gelu', 32],
  ])('%j make a %s with the block %s of width %i', async (flags, model, block, hidden) => {
    const run = out();
    const base = [
      '--data',
      text,
      '--dim',
      '8',
      '--layers',
      '1',
      '--heads',
      '2',
      '--context',
      '8',
      '--batch',
      '2',
      '--tokenizer',
      'byte',
      '--steps',
      '1',
    ];
    expect(await sluice(['train', ...base, '--out', run, ...flags])).toMatchObject({ code: 0 });
    const record = readJson(run, 'run.json') as { settings: Record<string, unknown>; feedForward: { name: string } };
    expect([record.settings['model'], record.feedForward.name, record.settings['hidden']]).toEqual([
      model,
      block,
      hidden,
    ]);
    expect(readJson(run, 'config.json')).toMatchObject({ model_type: model, intermediate_size: hidden });
  });
});

describe('wrong usage exits with 2 and says what is right', () => {
  const broken = join(folder, 'broken.json');
  test.each<[readonly string[], RegExp]>([
    [['--data', text, '--activation', 'sillu'], /"sillu"\. Did you mean "silu"/],
    [['--data', text, '--activation', 'x*tanhh(x)', '--ffn', 'mlp'], /"tanhh"\. Did you mean "tanh"/],
    [['--data', text, '--ffn', 'swigluu'], /"swigluu"\. Did you mean "swiglu"/],
    [['--data', text, '--ffn', 'gatd'], /"gatd"\. Did you mean "gated"/],
    [
      ['--data', text, '--ffn', 'swiglu', '--activation', 'gelu'],
      /--ffn swiglu brings its own activation.*--activation gelu/,
    ],
    [['--data', text, '--model', 'llama', '--ffn', 'mlp'], /llama has a gated block and arcee one that is not/],
    [['--data', text, '--model', 'lama'], /model is one of llama, arcee, .*"lama"/],
    [['--data', text, '--preset', 'dmeo'], /"dmeo"\. Did you mean "demo"/],
    [['--data', text, '--layer', '2'], /unknown option '--layer'.*Did you mean --layers/s],
    [['--data', text, '--heads', '3'], /width of a head, an even whole number, received "8 \/ 3 = 2\.667"\. Try heads/],
    [['--data', text, '--heads', '8'], /an even whole number, received "8 \/ 8 = 1"/],
    [['--data', text, '--heads', '4', '--kv-heads', '3'], /kvHeads divides heads 4, received 3/],
    [['--data', text, '--lr', '0'], /lr is positive, received 0/],
    [['--data', text, '--lr', '-1e-3'], /lr is positive, received -0\.001/],
    [['--data', text, '--lr', 'fast'], /--lr <number>.*It is a number/],
    [['--data', text, '--min-lr', '1'], /minLr is at most lr, 0\.001, received 1/],
    [['--data', text, '--steps', '0'], /steps is at least 1, received 0/],
    [['--data', text, '--steps', '2.5'], /It is a whole number/],
    [['--data', text, '--epochs', '1'], /one of steps, epochs and time/],
    [['--data', text, '--dropout', '1'], /dropout is below 1, received 1/],
    [['--data', text, '--validation', '0'], /validation is above 0, received 0\. Write for example 0\.1: share/],
    [['--data', text, '--validation', '1'], /validation is below 1, received 1\. Write/],
    [['--data', text, '--accumulate', '0'], /accumulate is at least 1, received 0\. Write for example 1: micro/],
    [['--data', text, '--batch', '0'], /batch is at least 1, received 0\. Write for example 16: seq/],
    [['--data', text, '--context', '1e9'], /context is at most 4194304, received 1000000000\. Write/],
    [['--data', text, '--save-every', '0'], /saveEvery is at least 1, received 0\. Write/],
    [['--data', text, '--keep', '0'], /keep is at least 1, received 0\. Write/],
    [['--data', text, '--clip', '-1'], /clip is at least 0, received -1\. Write/],
    [['--data', text, '--warmup', '-1'], /warmup is at least 0, received -1\. Write/],
    [['--data', text, '--beta2', '1'], /beta2 is below 1, received 1\. Write/],
    [['--data', text, '--time', '0'], /time is positive, received 0\. Write/],
    [['--data', text, '--threads', '0'], /--threads.*It is a whole number from 1 to 1024/],
    [['--data', ''], /data is not empty, received ""\. Write for example my\.txt/],
    [['--data', text, '--tokenizer', 'bep:300'], /"bep:300"\. Did you mean "bpe"/],
    [['--data', text, '--tokenizer', 'bpe'], /must name its vocabulary size/],
    [['--data', text, '--schedule', 'cosin'], /schedule is one of cosine, linear, constant, wsd/],
    [['--data', text, '--device', 'wsam'], /"wsam"\. Did you mean "wasm"/],
    [[], /needs a text.*--data my\.txt/],
    [['--config', join(folder, 'missing.json')], /config file can be read/],
    [['--config', broken], /broken\.json holds JSON/],
  ])('%j', async (flags, message) => {
    writeFileSync(broken, '{"dim": 8,}');
    const run = out();
    const { code, error } = await train([...flags, '--out', run]);
    expect(error).toMatch(message);
    expect(code).toBe(2);
    expect(existsSync(run)).toBe(false);
  });

  test.each<[Record<string, unknown> | readonly unknown[], RegExp]>([
    [{ dmi: 8 }, /"dmi"\. Did you mean "dim"/],
    [{ 'weight-decay': 0.1 }, /"weight-decay"\. Did you mean "weightDecay"/],
    [{ dim: '8' }, /dim is a number, received "8"/],
    [{ dim: 8.5 }, /dim is a whole number, received 8\.5/],
    [{ lr: null }, /lr is a number, received null/],
    [{ deterministic: 'yes' }, /deterministic is a boolean, received "yes"/],
    [{ preset: 'tiny' }, /a preset is one of/],
    [{ steps: 5, time: 3 }, /one of steps, epochs and time/],
    [[1, 2], /a JSON object of settings/],
  ])('a config file of %j', async (settings, message) => {
    const config = join(folder, 'wrong.json');
    writeFileSync(config, JSON.stringify(settings));
    const { code, error } = await sluice(['train', '--data', text, '--config', config, '--out', out()]);
    expect(error).toMatch(message);
    expect(code).toBe(2);
  });
});
