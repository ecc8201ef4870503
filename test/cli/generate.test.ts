import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { generationDefaults } from '../../src/runs/sampling.js';
import { type Ran, sluice } from '../support/terminal.js';
import { readJson, temporaryFolder, train, writeText } from './runs.js';

const folder = temporaryFolder();
const run = join(folder, 'run');
const custom = join(folder, 'custom');
const text = writeText(folder, 'text.txt', 'the whale saw the sea. '.repeat(200));

beforeAll(async () => {
  const context = ['--context', '24', '--tokenizer', 'char', '--steps', '80', '--lr', '0.02'];
  await train(['--data', text, '--out', run, ...context]);
  await train(['--data', text, '--out', custom, ...context, '--ffn', 'mlp', '--activation', 'x*tanh(softplus(x))']);
});

const generate = (...args: string[]): Promise<Ran> =>
  sluice(['generate', run, '--threads', '1', '--max-tokens', '12', ...args]);
const textOf = async (...args: string[]): Promise<string> => {
  const ran = await generate('--json', '--quiet', ...args);
  expect([ran.code, ran.error]).toEqual([0, '']);
  return (ran.json() as { text: string }).text;
};

describe('generate', () => {
  test('streams the prompt and what follows to standard output, progress to standard error', async () => {
    const { code, out, error } = await generate('--prompt', 'the ', '--seed', '1');
    expect(code).toBe(0);
    expect(out).toMatch(/^the .{12}\n$/s);
    expect(error).toMatch(/^12 tokens, \d+ tokens\/s, seed 1\n$/);
  });

  test('tells scripts one object', async () => {
    const ran = await generate('--prompt', 'the ', '--seed', '1', '--json');
    expect(ran.json()).toMatchObject({ prompt: 'the ', tokens: 12, text: expect.any(String) });
  });

  test('tells scripts everything that decides the text, so that it can be had again', async () => {
    const first = await generate('--prompt', 'the ', '--temperature', '1.5', '--stop', 'qqq', '--json');
    const { seed, text, ...rest } = first.json() as { seed: number; text: string };
    const { maxTokens: _, stop: __, seed: ___, ...defaults } = generationDefaults;
    expect(rest).toMatchObject({ ...defaults, temperature: 1.5, maxTokens: 12, stop: ['qqq'] });
    expect(await textOf('--prompt', 'the ', '--temperature', '1.5', '--seed', String(seed))).toBe(text);
  });

  test('is the same for the same seed, and another for another', async () => {
    const flags = ['--prompt', 'a', '--temperature', '1.5', '--top-p', '1'];
    const first = await textOf(...flags, '--seed', '1');
    expect(await textOf(...flags, '--seed', '1')).toBe(first);
    expect(await textOf(...flags, '--seed', '2')).not.toBe(first);
  });

  test('with a temperature of 0 is the likeliest text, whatever the seed and on every device', async () => {
    const flags = ['--prompt', 'the ', '--temperature', '0'];
    const first = await textOf(...flags, '--seed', '1');
    expect(await textOf(...flags, '--seed', '2')).toBe(first);
    expect(await textOf(...flags, '--top-k', '1')).toBe(first);
    expect(await textOf(...flags, '--device', 'reference')).toBe(first);
    expect(await textOf('--prompt', 'the ', '--temperature', '0.9', '--top-k', '1', '--seed', '3')).toBe(first);
  });

  test('ends before a stop text, which is not given out', async () => {
    const flags = ['--prompt', 'the ', '--temperature', '0'];
    const whole = await textOf(...flags);
    expect(new Set(whole).size).toBeGreaterThan(2);
    const stop = whole.slice(3, 6);
    expect(await textOf(...flags, '--stop', stop)).toBe(whole.slice(0, whole.indexOf(stop)));
    expect(await textOf(...flags, '--stop', 'qqq', '--stop', stop)).toBe(whole.slice(0, whole.indexOf(stop)));
    expect(await textOf(...flags, '--stop', 'qqq')).toBe(whole);
    const { out } = await generate(...flags, '--stop', stop);
    expect(out).toBe(`the ${whole.slice(0, whole.indexOf(stop))}\n`);
  });

  test('goes on beyond the last position of the model', async () => {
    const text = await textOf('--prompt', 'the whale', '--max-tokens', '100', '--temperature', '0');
    expect(text).toHaveLength(100);
    expect(text.slice(60)).toContain('the ');
  });

  test('restores an activation that was given by its text from the run alone', async () => {
    const { feedForward } = readJson(custom, 'run.json') as { feedForward: { expression: string } };
    expect(feedForward.expression).toBe('x*tanh(softplus(x))');
    // The name says nothing: the expression is what is restored.
    const renamed = join(folder, 'renamed');
    cpSync(custom, renamed, { recursive: true });
    const record = readJson(renamed, 'run.json') as { feedForward: object };
    writeFileSync(
      join(renamed, 'run.json'),
      JSON.stringify({ ...record, feedForward: { ...record.feedForward, name: 'unheard' } }),
    );
    const flags = [
      '--prompt',
      'the ',
      '--temperature',
      '0',
      '--threads',
      '1',
      '--max-tokens',
      '12',
      '--json',
      '--quiet',
    ];
    const [first, second] = [
      await sluice(['generate', custom, ...flags]),
      await sluice(['generate', renamed, ...flags]),
    ];
    expect([first.code, second.code]).toEqual([0, 0]);
    expect((second.json() as { text: string }).text).toBe((first.json() as { text: string }).text);
    expect(readJson(custom, 'config.json')).toMatchObject({ model_type: 'arcee', hidden_act: 'mish' });
  });
});

describe('wrong usage exits with 2', () => {
  test.each([
    [['--temperature', '-1'], /--temperature/],
    [['--top-k', '2.5'], /--top-k/],
    [['--top-p', '1.1'], /--top-p/],
    [['--top-p', '0'], /topP is above 0/],
    [['--min-p', '1'], /minP is at least 0 and below 1/],
    [['--repetition-penalty', '0'], /--repetition-penalty/],
    [['--max-tokens', '0'], /--max-tokens/],
    [['--seed', '-1'], /--seed/],
    [['--tempreature', '1'], /Did you mean --temperature/],
    [['--device', 'wsam'], /"wsam"\. Did you mean "wasm"/],
  ])('%j', async (flags, message) => {
    const { code, out, error } = await generate(...flags);
    expect([code, out]).toEqual([2, '']);
    expect(error).toMatch(message);
  });

  test('without a run', async () => {
    expect(await sluice(['generate'])).toMatchObject({ code: 2 });
  });
});

describe('what cannot be generated from exits with 1', () => {
  test.each([
    ['no folder', () => join(folder, 'missing'), /a run is a folder.*missing/],
    ['a folder that is no run', () => folder, /a run folder holds run\.json/],
  ])('%s', async (_, path, message) => {
    const { code, out, error } = await sluice(['generate', path()]);
    expect([code, out]).toEqual([1, '']);
    expect(error).toMatch(message);
    expect(error.trimEnd()).not.toContain('\n');
  });

  const damaged = (name: string, change: (path: string) => void): string => {
    const path = join(folder, name);
    rmSync(path, { recursive: true, force: true });
    cpSync(run, path, { recursive: true });
    change(path);
    return path;
  };

  test.each<[string, (path: string) => void, RegExp]>([
    [
      'a record that is not JSON',
      (path) => writeFileSync(join(path, 'run.json'), '{'),
      /run\.json holds a JSON object/,
    ],
    [
      'a config that is no object',
      (path) => writeFileSync(join(path, 'config.json'), 'null'),
      /config\.json holds a JSON/,
    ],
    [
      'a record of a newer version',
      (path) => writeFileSync(join(path, 'run.json'), '{"formatVersion": 2}'),
      /format version 1, received 2/,
    ],
    ['no weights', (path) => rmSync(join(path, 'model.safetensors')), /model\.safetensors/],
    [
      'weights that are cut short',
      (path) =>
        writeFileSync(join(path, 'model.safetensors'), readFileSync(join(path, 'model.safetensors')).subarray(0, 1000)),
      /model\.safetensors/,
    ],
    [
      'weights of another model',
      (path) => cpSync(join(custom, 'model.safetensors'), join(path, 'model.safetensors')),
      /has the tensor .*gate_proj|belong to different models/,
    ],
    [
      'a config without a size',
      (path) => writeFileSync(join(path, 'config.json'), '{"model_type": "llama"}'),
      /hidden_size|num_attention_heads|vocab_size/,
    ],
    ['no tokenizer', (path) => rmSync(join(path, 'tokenizer.json')), /tokenizer/],
    [
      'a formula that is not one',
      (path) => {
        const record = readJson(path, 'run.json') as { feedForward: object };
        writeFileSync(
          join(path, 'run.json'),
          JSON.stringify({ ...record, feedForward: { ...record.feedForward, expression: 'process.exit(3)' } }),
        );
      },
      /position 8 has "\."|an expression/,
    ],
  ])('a run with %s', async (name, change, message) => {
    const { code, out, error } = await sluice([
      'generate',
      damaged(name.replaceAll(' ', '-'), change),
      '--prompt',
      'a',
    ]);
    expect([code, out]).toEqual([1, '']);
    expect(error).toMatch(message);
    expect(error).not.toContain('unexpected');
  });

  test('a prompt that is longer than the model’s positions', async () => {
    const { code, error } = await generate('--prompt', 'the whale saw the sea. the whale saw');
    expect(code).toBe(1);
    expect(error).toMatch(/leaves room in the model's 24 positions, received "36 tokens"\. Shorten the prompt/);
  });
});

describe('without a prompt', () => {
  const unprompted = (path: string, ...args: string[]): Promise<Ran> =>
    sluice(['generate', path, '--max-tokens', '2', '--threads', '1', ...args]);

  test('a document begins where texts were documents', async () => {
    const documents = join(folder, 'documents');
    mkdirSync(join(folder, 'chapters'));
    for (const i of [1, 2, 3]) writeText(join(folder, 'chapters'), `${i}.txt`);
    await train(['--data', join(folder, 'chapters'), '--out', documents]);
    const ran = await unprompted(documents, '--json');
    expect([ran.code, ran.json()]).toEqual([0, expect.objectContaining({ prompt: '' })]);
  });

  test('a line begins where a tokenizer of characters has no end of text', async () => {
    const lines = join(folder, 'lines');
    await train(['--data', writeText(folder, 'lines.txt'), '--out', lines, '--tokenizer', 'char']);
    for (const args of [[], ['--prompt', '']]) {
      const ran = await unprompted(lines, '--json', ...args);
      expect([ran.code, ran.json()]).toEqual([0, expect.objectContaining({ prompt: '\n', tokens: 2 })]);
    }
  });

  test('where the vocabulary has neither, it is wrong usage that says what to do', async () => {
    for (const args of [[], ['--prompt', '']]) {
      const { code, out, error } = await unprompted(run, ...args);
      expect([code, out]).toEqual([2, '']);
      expect(error).toMatch(
        /neither an end of text nor a line break, received ""\. Give a prompt with the first words/,
      );
    }
  });
});
