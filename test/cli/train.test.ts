import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sluice } from '../support/terminal.js';
import { prose, readJson, readMetrics, temporaryFolder, train, writeText } from './runs.js';

const folder = temporaryFolder();
const text = writeText(folder);
let made = 0;
const out = (): string => join(folder, `run-${made++}`);

describe('a run', () => {
  test('is a folder with what its model needs anywhere', async () => {
    const run = out();
    const { code, error, out: output } = await train(['--data', text, '--out', run, '--eval-every', '2']);
    expect([code, error.includes('error')]).toEqual([0, false]);
    expect(readdirSync(run).sort()).toEqual([
      'checkpoints',
      'config.json',
      'generation_config.json',
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

  test.each([
    ['byte', 256],
    ['bpe:300', 299],
    ['char', null],
  ])('tells Hugging Face where a text with the tokenizer %s ends', async (tokenizer, end) => {
    const run = out();
    await train(['--data', text, '--out', run, '--tokenizer', tokenizer]);
    const { added_tokens: added } = readJson(run, 'tokenizer.json') as { added_tokens: { id: number }[] };
    expect(added.map(({ id }) => id)).toEqual(end === null ? [] : [end]);
    expect(readJson(run, 'config.json')).toMatchObject({ bos_token_id: null, eos_token_id: end });
    expect(readJson(run, 'generation_config.json')).toEqual({
      _from_model_config: true,
      ...(end === null ? {} : { eos_token_id: end }),
    });
    expect(readJson(run, 'tokenizer_config.json')['eos_token']).toBe(end === null ? undefined : '<|endoftext|>');
  });

  test('tells scripts one object, and nothing else on standard output', async () => {
    const run = out();
    const ran = await train(['--data', text, '--out', run, '--json', '--quiet']);
    expect([ran.code, ran.error]).toEqual([0, '']);
    expect(ran.json()).toMatchObject({ run, data: text, step: 3, steps: 3, tokens: 48 });
    for (const key of ['bitsPerByte', 'seconds', 'tokensPerSecond'])
      expect(ran.json()).toHaveProperty(key, expect.any(Number));
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

describe('the banner', () => {
  test('says what a plain block makes of the model', async () => {
    const { error } = await train(['--data', text, '--out', out(), '--ffn', 'mlp']);
    expect(error).toMatch(/^model +Arcee \(a LLaMA with a plain block\), /m);
    expect((await train(['--data', text, '--out', out()])).error).toMatch(/^model +LLaMA, /m);
  });

  test('of a resumed run says after which step it goes on', async () => {
    const run = out();
    expect((await train(['--data', text, '--out', run])).error).not.toContain('goes on');
    const { error } = await sluice(['train', '--resume', run, '--steps', '5']);
    expect(error).toMatch(/^training +5 steps of .*; goes on after step 3$/m);
    expect(error).toMatch(/^step 4\/5 {2}loss \d\.\d+$/m);
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
      /at least 9 tokens for a context of 8, received "at most 7 tokens"\. .*, or a context of at most 6\./,
    ],
    ['held-out text of one token', ['--data', text, '--validation', '0.0001'], /must have at least 2 tokens/],
    [
      'more than the memory',
      ['--data', text, '--dim', '16384', '--hidden', '65536', '--layers', '100'],
      /fits in .* of memory here, received "about .* GiB"\. Most of it, .* is for the size of the model: lower --dim/,
    ],
    ['a device that is to come', ['--data', text, '--device', 'webgpu'], /webgpu device is not available/],
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

  test.each([
    ['a folder that is a file', text],
    ['a folder in a file', join(text, 'deep', 'run')],
  ])('%s, before the tokenizer is trained', async (_, path) => {
    const { code, error } = await train(['--data', text, '--out', path]);
    expect([code, error]).toEqual([1, expect.stringMatching(/^error: .* must be a folder that can be written/)]);
  });

  test('a text shorter than the context in tokens, with the largest that would do', async () => {
    const { error } = await train(['--data', text, '--out', out(), '--tokenizer', 'bpe:300', '--context', '5000']);
    const [, tokens = '', context = ''] = /received "(\d+) tokens"\. .* or a context of (\d+)\./.exec(error) ?? [];
    expect(Number(context)).toBe(Number(tokens) - 1);
    const fitting = ['--tokenizer', 'bpe:300', '--batch', '1', '--steps', '1', '--context', context];
    expect(await train(['--data', text, '--out', out(), ...fitting])).toMatchObject({ code: 0 });
  });

  test('a folder that holds a run', async () => {
    const run = out();
    await train(['--data', text, '--out', run]);
    const { code, error } = await train(['--data', text, '--out', run]);
    expect(code).toBe(1);
    expect(error).toContain(`Continue it with --resume ${run}, or choose another --out.`);
    expect(error).toMatch(/^error: /);
  });

  test('a folder with files that a run would write over, which stay', async () => {
    const run = out();
    mkdirSync(join(run, 'tokens'), { recursive: true });
    const { code, error } = await train(['--data', text, '--out', run]);
    expect(code).toBe(1);
    expect(error).toMatch(/^error: a new run does not write over tokens/);
    expect(existsSync(join(run, 'tokens'))).toBe(true);
  });

  test('a folder of somebody else whose file only looks like a lock', async () => {
    const run = out();
    mkdirSync(join(run, 'checkpoints'), { recursive: true });
    writeFileSync(join(run, '.lock-file'), '');
    const { code, error } = await train(['--data', text, '--out', run]);
    expect([code, error]).toEqual([1, expect.stringMatching(/^error: a new run does not write over checkpoints/)]);
    expect(readdirSync(run).sort()).toEqual(['.lock-file', 'checkpoints']);
  });

  test('a full disk', async () => {
    const run = out();
    mkdirSync(run);
    // As a run that was killed at its start, before the machine was booted anew, leaves its folder.
    writeFileSync(join(run, `.lock-1-1-0-${encodeURIComponent(hostname())}`), '');
    symlinkSync('/dev/full', join(run, 'metrics.jsonl'));
    const { code, error } = await train(['--data', text, '--out', run]);
    expect(code).toBe(1);
    expect(error).toMatch(/error: .*metrics\.jsonl must be writable.*ENOSPC/);
  });

  test('under --json is one object on standard output too', async () => {
    const path = join(folder, 'missing.txt');
    const ran = await train(['--data', path, '--json']);
    expect([ran.code, ran.error]).toEqual([1, expect.stringMatching(/^error: A corpus must be .*\n$/)]);
    expect(ran.json()).toEqual({
      error: {
        code: 'data',
        rule: 'A corpus must be a file or a folder that exists',
        received: path,
        remedy: 'Check the path.',
      },
    });
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

  test('of a folder are told in a line: what is read and what is left', async () => {
    const [all, some] = [join(folder, 'all'), join(folder, 'some')];
    for (const path of [all, some]) {
      mkdirSync(path);
      for (const i of [1, 2]) writeText(path, `${i}.txt`, prose(10));
    }
    mkdirSync(join(some, 'sub'));
    for (const name of ['a.md', 'b.md', 'c.md', 'd.md']) writeText(some, name, 'not read');
    const told = (await train(['--data', all, '--out', out()])).error;
    expect(told.split('\n')[0]).toBe(`read 2 .txt files of ${all}`);
    const run = out();
    const partly = await train(['--data', some, '--out', run]);
    const left = 'left out 5, not being .txt files with text in them: a.md, b.md, c.md, d.md, ...';
    expect(partly.error.split('\n')[0]).toBe(`read 2 .txt files of ${some}; ${left}`);
    expect((await sluice(['evaluate', run, '--data', some, '--threads', '1'])).error).toContain(left);
  });

  test('that are too small for the vocabulary asked for say so', async () => {
    const path = writeText(folder, 'small.txt', 'the whale saw the sea. '.repeat(50));
    const { code, error } = await train(['--data', path, '--tokenizer', 'bpe:4096', '--out', out()]);
    expect(code).toBe(0);
    expect(error).toMatch(/^the vocabulary has \d{3} tokens, not the 4096 asked for: nothing else occurs twice/m);
  });

  test('count one of a thing as one', async () => {
    const { error } = await train(['--data', text, '--out', out(), '--heads', '1', '--kv-heads', '1', '--steps', '1']);
    expect(error).toContain(': 1 layer of 8, 1 head, swiglu block');
    expect(error).toMatch(/^training +1 step of 16 tokens/m);
    expect(error).toMatch(/^needs +about 1 MiB of memory/m);
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
    const line = (flag: string): string =>
      new RegExp(`${flag} [^]*?(?=\\n +--)`).exec(help)?.[0].replaceAll(/\s+/g, ' ') ?? '';
    expect(line('--min-lr')).toContain('(a tenth of lr)');
    expect(line('--kv-heads')).toContain('(as many as heads)');
    expect(line('--hidden')).toContain('(8/3 of dim up to a multiple of 16; 4 times dim with --ffn mlp)');
  });
});
