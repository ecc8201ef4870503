import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CharTokenizer } from '../../src/data/char-tokenizer.js';
import { saveTokenizer } from '../../src/data/load-tokenizer.js';
import { type HubServer, hubServer } from '../runs/hub/hub-server.js';
import { sluice } from '../support/terminal.js';

const golden = join(import.meta.dirname, '../golden/llama');
let folder: string;
let hub: HubServer;
const before: Record<string, string | undefined> = {};

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-cli-hub-'));
  const model = join(folder, 'tiny');
  await cp(golden, model, { recursive: true });
  await saveTokenizer(model, new CharTokenizer([...' abcdefghijklmnopqrstuvwxyz.\n'], { endOfText: true }));
  await writeFile(join(folder, 'text.txt'), 'the whale swam and the ship ran. '.repeat(20));
  const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
  const files = await Promise.all(names.map(async (name) => [name, await readFile(join(model, name))] as const));
  hub = await hubServer(Object.fromEntries(files));
  for (const [name, value] of Object.entries({
    ...{ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: join(folder, 'cache'), HF_TOKEN: '', HF_HUB_OFFLINE: '' },
  })) {
    before[name] = process.env[name];
    process.env[name] = value;
  }
});
afterAll(async () => {
  for (const [name, value] of Object.entries(before)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  await hub[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const reference = ['--device', 'reference'];

describe.each([
  ['a folder without run.json', () => join(folder, 'tiny')],
  ['the name of a model that was pulled', () => 'me/tiny'],
])('%s is a RUN', (_what, run) => {
  beforeAll(async () => {
    expect((await sluice(['pull', 'me/tiny'])).code).toBe(0);
  });

  test('for generate', async () => {
    const flags = ['--prompt', 'the', '--max-tokens', '5', '--temperature', '0', ...reference, '--json'];
    const { code, json } = await sluice(['generate', run(), ...flags]);
    expect(code).toBe(0);
    expect(json()).toMatchObject({ prompt: 'the', tokens: 5 });
  });

  test('for evaluate, which needs --data', async () => {
    const { code, json } = await sluice([
      'evaluate',
      run(),
      '--data',
      join(folder, 'text.txt'),
      ...reference,
      '--json',
    ]);
    expect(code).toBe(0);
    expect(json()).toMatchObject({ tokens: 659 });
    const { code: without, error } = await sluice(['evaluate', run(), ...reference]);
    expect([without, error]).toEqual([1, expect.stringMatching(/held none out.*Give --data my\.txt/)]);
  });

  test('for inspect, with a text and without', async () => {
    const data = ['--data', join(folder, 'text.txt'), '--batches', '1', '--batch', '1'];
    expect((await sluice(['inspect', run(), ...data, ...reference])).code).toBe(0);
    const { code, out } = await sluice(['inspect', run()]);
    expect(code).toBe(0);
    expect(out).toMatch(/LlamaForCausalLM: 2 layers of 32, 4 heads, 2 for keys and values/);
    expect(out).toMatch(/model\.layers\.\*\.mlp\.up_proj\.weight +2 +F32 +\[48, 32\]/);
  });

  test('for predict, which says what to do instead', async () => {
    const { code, error } = await sluice(['predict', run(), '--text', 'a', ...reference]);
    expect([code, error]).toEqual([1, expect.stringMatching(/Let it write: sluice generate/)]);
  });
});

describe('sluice pull', () => {
  test('says what it fetched and where, and gives it under --json', async () => {
    const cache = join(folder, 'other');
    const { code, out, error } = await sluice(['pull', 'me/tiny', '--cache', cache]);
    expect(code).toBe(0);
    expect(out).toMatch(/^4 files, .* kB\n.*models--me--tiny\/snapshots\/c{40}\n$/s);
    expect(error).toMatch(/100 % of/);
    const { json } = await sluice(['pull', 'me/tiny', '--cache', cache, '--json', '--quiet']);
    expect(json()).toMatchObject({ name: 'me/tiny', revision: 'main', fetchedBytes: 0 });
  });

  test('finds a model offline without the network, and tells of one that is not there', async () => {
    const { length } = hub.asked;
    expect((await sluice(['pull', 'me/tiny', '--offline'])).code).toBe(0);
    const { code, error } = await sluice(['pull', 'me/other', '--offline']);
    expect([code, error]).toEqual([1, expect.stringMatching(/fetched before into/)]);
    expect(hub.asked).toHaveLength(length);
  });

  test.each([['a/b/c'], ['../x'], ['me/tiny', '--revision', '../x']])('refuses %s as wrong usage', async (...args) => {
    expect((await sluice(['pull', ...args])).code).toBe(2);
  });

  test('tells in one line of a model that is not on the hub', async () => {
    const { code, error } = await sluice(['pull', 'me/none', '--quiet']);
    expect(code).toBe(1);
    expect(error.trim().split('\n')).toHaveLength(1);
    expect(error).toMatch(/the model me\/none at revision main exists/);
  });
});

test('a name that was not pulled is told how to fetch it', async () => {
  const { code, error } = await sluice(['generate', 'someone/something', ...reference]);
  expect([code, error]).toEqual([1, expect.stringMatching(/fetch it first: sluice pull someone\/something/)]);
});

test('a run that is missing beside other runs is no model of the hub', async () => {
  await mkdir(join(folder, 'runs'));
  const { error } = await sluice(['generate', join(folder, 'runs', 'demo-9'), ...reference]);
  expect(error).toMatch(/a run is a folder/);
});
