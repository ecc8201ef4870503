import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { presetNamed } from '../../src/runs/presets.js';
import { sluice } from '../support/terminal.js';
import { prose, readJson, readMetrics, temporaryFolder, train, writeText } from './runs.js';

const folder = temporaryFolder();
const text = writeText(folder);
let made = 0;
const out = (): string => join(folder, `run-${made++}`);

afterEach(() => {
  delete process.env['SLUICE_SEED'];
  delete process.env['SLUICE_DEVICE'];
});

describe('a run', () => {
  test('is a folder with what its model needs anywhere', async () => {
    const run = out();
    const { code, error, out: output } = await train(['--data', text, '--out', run, '--eval-every', '2']);
    expect([code, error.includes('error')]).toEqual([0, false]);
    expect(readdirSync(run).sort()).toEqual([
      'checkpoints',
      'config.json',
      'metrics.jsonl',
      'model.safetensors',
      'run.json',
      'tokenizer.json',
      'tokenizer_config.json',
      'tokens',
    ]);
    expect(readdirSync(join(run, 'checkpoints'))).toEqual(['step-00000003']);
    expect(readMetrics(run).map(({ step, loss }) => [step, loss !== undefined])).toEqual([
      [1, true],
      [2, true],
      [2, false],
      [3, true],
      [3, false],
    ]);
    for (const line of readMetrics(run).filter(({ loss }) => loss !== undefined)) {
      expect(Object.keys(line)).toEqual([
        'step',
        'loss',
        'learningRate',
        'gradientNorm',
        'tokens',
        'tokensPerSecond',
        'seconds',
      ]);
    }
    expect(output).toContain('bits per byte');
    expect(output).toContain(`npx sluice generate ${run}`);
    expect(error).toContain('step 3/3');
    expect(readJson(run, 'run.json')).toMatchObject({ formatVersion: 1, settings: { dim: 8, steps: 3, seed: 1337 } });
  });

  test('tells scripts one object, and nothing else on standard output', async () => {
    const run = out();
    const ran = await train(['--data', text, '--out', run, '--json', '--quiet']);
    expect([ran.code, ran.error]).toEqual([0, '']);
    expect(ran.json()).toMatchObject({ run, step: 3, steps: 3, tokens: 48 });
    expect(ran.json()).toHaveProperty('bitsPerByte');
  });

  test('is the same for the same seed, and another for another', async () => {
    const losses = async (...flags: string[]): Promise<unknown> => {
      const run = out();
      await train(['--data', text, '--out', run, ...flags]);
      return readMetrics(run).map(({ step, loss, validationLoss }) => ({ step, loss, validationLoss }));
    };
    const first = await losses();
    expect(await losses()).toEqual(first);
    expect(await losses('--seed', '7')).not.toEqual(first);
  });

  test.each([
    ['epochs', ['--epochs', '0.5']],
    ['time', ['--time', '0.1']],
  ])('takes its length as %s too, and fixes it as a number of steps', async (name, flags) => {
    const run = out();
    const withoutSteps = [
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
    ];
    expect(await sluice(['train', ...withoutSteps, '--data', text, '--out', run, ...flags])).toMatchObject({ code: 0 });
    const { settings } = readJson(run, 'run.json') as { settings: Record<string, number> };
    const steps = readMetrics(run).filter(({ loss }) => loss !== undefined).length;
    expect(settings['steps']).toBe(steps);
    expect(settings).toHaveProperty(name);
    const { tokens } = readJson(run, 'tokens', 'training.bin.json') as { tokens: number };
    if (name === 'epochs') expect(steps).toBe(Math.ceil((0.5 * tokens) / 16));
  });
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
    [['--data', text, '--model', 'llama', '--ffn', 'mlp'], /llama has a gated block and arcee a plain one/],
    [['--data', text, '--model', 'lama'], /model is llama or arcee.*"lama"/],
    [['--data', text, '--preset', 'dmeo'], /"dmeo"\. Did you mean "demo"/],
    [['--data', text, '--layer', '2'], /unknown option '--layer'.*Did you mean --layers/s],
    [['--data', text, '--heads', '3'], /heads divides dim 8 into even widths, received 3\. Try --heads/],
    [['--data', text, '--heads', '8'], /even widths, received 8/],
    [['--data', text, '--heads', '4', '--kv-heads', '3'], /kvHeads divides heads 4, received 3/],
    [['--data', text, '--lr', '0'], /lr is positive, received 0/],
    [['--data', text, '--lr', '-1e-3'], /lr is positive, received -0\.001/],
    [['--data', text, '--lr', 'fast'], /--lr <number>.*It is a number/],
    [['--data', text, '--min-lr', '1'], /minLr is at most lr, 0\.001, received 1/],
    [['--data', text, '--steps', '0'], /steps is at least 1, received 0/],
    [['--data', text, '--steps', '2.5'], /It is a whole number/],
    [['--data', text, '--epochs', '1'], /one of steps, epochs and time/],
    [['--data', text, '--dropout', '1'], /dropout is below 1, received 1/],
    [['--data', text, '--validation', '0'], /validation must lie between 0 and 1/],
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

describe('what cannot be trained exits with 1, explained in a line, and leaves nothing', () => {
  const empty = writeText(folder, 'empty.txt', '');
  const binary = writeText(folder, 'binary.bin', Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 255));
  const latin = writeText(folder, 'latin.txt', Uint8Array.from(Buffer.from(`${prose(2)}caf\xe9`, 'latin1')));
  const short = writeText(folder, 'short.txt', 'Call me.');
  const lines = writeText(folder, 'lines.jsonl', '{"text": "one"}\n{"txt": "two"}\n');
  mkdirSync(join(folder, 'no-text'));

  test.each<[string, readonly string[], RegExp]>([
    ['a missing file', ['--data', join(folder, 'missing.txt')], /must be a file or a folder that exists/],
    ['an empty file', ['--data', empty], /must hold some text/],
    ['a binary file', ['--data', binary], /must be UTF-8 text, received "byte 0x89 at offset 0/],
    ['another encoding', ['--data', latin], /must be UTF-8 text, received "byte 0xE9/],
    ['a device', ['--data', '/dev/full'], /must be a file or a folder/],
    ['a folder without .txt', ['--data', join(folder, 'no-text')], /must hold \.txt files/],
    ['a line without text', ['--data', lines], /Line 2 of .*must be a JSON object with a string "text"/],
    [
      'a text shorter than the context',
      ['--data', short],
      /at least 9 tokens for a context of 8, received "\d+ tokens"/,
    ],
    ['held-out text of one token', ['--data', text, '--validation', '0.0001'], /must have at least 2 tokens/],
    [
      'more than the memory',
      ['--data', text, '--dim', '16384', '--hidden', '65536', '--layers', '100'],
      /fits in .* of memory here, received "about .* GiB"\. Lower --batch/,
    ],
    ['a device that is to come', ['--data', text, '--device', 'native'], /native device is not available/],
    [
      'a vocabulary that cannot fit',
      ['--data', text, '--tokenizer', 'bpe:60000', '--dim', '8192', '--batch', '4096'],
      /fits in .* of memory here/,
    ],
  ])('%s', async (_, flags, message) => {
    const run = out();
    const { code, error } = await train([...flags, '--out', run]);
    expect(error).toMatch(message);
    expect(code).toBe(1);
    expect(error.trimEnd().split('\n').at(-1)).toMatch(/^error: /);
    expect(error).not.toContain('unexpected');
    expect(existsSync(run)).toBe(false);
  });

  test('a folder that is a file', async () => {
    const { code, error } = await train(['--data', text, '--out', text]);
    expect([code, error]).toEqual([1, expect.stringMatching(/must be a folder that can be written/)]);
  });

  test('a folder that holds a run', async () => {
    const run = out();
    await train(['--data', text, '--out', run]);
    const { code, error } = await train(['--data', text, '--out', run]);
    expect(code).toBe(1);
    expect(error).toContain(`Continue it with --resume ${run}, or choose another --out.`);
  });

  test('a full disk', async () => {
    const run = out();
    mkdirSync(run);
    symlinkSync('/dev/full', join(run, 'metrics.jsonl'));
    const { code, error } = await train(['--data', text, '--out', run]);
    expect(code).toBe(1);
    expect(error).toMatch(/error: .*metrics\.jsonl must be writable.*ENOSPC/);
  });

  test('a full disk under --json and a pipe that is closed leave standard output empty', async () => {
    const ran = await train(['--data', join(folder, 'missing.txt'), '--json']);
    expect([ran.code, ran.out]).toEqual([1, '']);
  });
});

describe('texts', () => {
  const chinese = prose(60, ['鲸', '大海', '白色', '船', '老人', '看见', '天', '水'], '');
  mkdirSync(join(folder, 'chapters'));
  for (const i of [1, 2, 10]) writeText(join(folder, 'chapters'), `chapter_${i}.txt`, prose(10));
  const sources = {
    'English text': text,
    'Chinese text': writeText(folder, 'chinese.txt', chinese),
    'a folder of .txt': join(folder, 'chapters'),
    'JSON lines': writeText(
      folder,
      'documents.jsonl',
      chinese
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.stringify({ text: line }))
        .join('\n'),
    ),
  };

  test.each(
    Object.entries(sources).flatMap(([what, path]) =>
      ['char', 'byte', 'bpe:300'].map((tokenizer) => [what, tokenizer, path] as const),
    ),
  )('%s trains and generates with %s', async (what, tokenizer, path) => {
    const run = out();
    const trained = await train(['--data', path, '--tokenizer', tokenizer, '--out', run]);
    expect([trained.code, trained.error.includes('error')]).toEqual([0, false]);
    const prompt = /Chinese|JSON/.test(what) ? '大海' : 'the ';
    const generated = await sluice(['generate', run, '--prompt', prompt, '--max-tokens', '4', '--threads', '1']);
    expect(generated.code).toBe(0);
    expect(generated.out.startsWith(prompt)).toBe(true);
    if (tokenizer !== 'bpe:300') return;
    expect(await sluice(['evaluate', run, '--data', path, '--threads', '1'])).toMatchObject({ code: 0 });
  });

  test('with a byte order mark and Windows line ends train', async () => {
    const path = writeText(folder, 'windows.txt', `\ufeff${prose(30).replaceAll('\n', '\r\n')}`);
    expect(await train(['--data', path, '--out', out(), '--tokenizer', 'char'])).toMatchObject({ code: 0 });
  });
});

describe('help', () => {
  test('has a flag for every setting, and the presets', async () => {
    const { code, out: help } = await sluice(['train', '--help']);
    expect(code).toBe(0);
    for (const flag of [
      '--data',
      '--kv-heads',
      '--weight-decay',
      '--eval-every',
      '--preset',
      '--resume',
      '--deterministic',
      '--json',
    ]) {
      expect(help).toContain(flag);
    }
  });
});
