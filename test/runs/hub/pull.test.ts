import { lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SluiceError } from '../../../src/base/errors.js';
import type { PullProgress } from '../../../src/runs/hub/pace.js';
import { type PullOptions, pull } from '../../../src/runs/hub/pull.js';
import { commit, cutAfter, type HubServer, hubServer, send } from './hub-server.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const weights = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3);
const files = {
  'config.json': text('{"model_type":"llama"}'),
  'tokenizer.json': text('{}'),
  'model.safetensors': weights,
  'pytorch_model.bin': text('pickle'),
  'onnx/config.json': text('{}'),
  '1_Pooling/config.json': text('{"pooling_mode_mean_tokens":true}'),
};

let cache: string;
let hub: HubServer;
beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), 'sluice-hub-'));
  hub = await hubServer(files);
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  await rm(cache, { recursive: true });
});

const home = (): string => join(cache, 'models--me--tiny');
const snapshot = (): string => join(home(), 'snapshots', commit);
const fetchTiny = (options: PullOptions = {}) =>
  pull('me/tiny', { endpoint: hub.endpoint, cache, wait: 0.001, tries: 3, token: undefined, ...options });
const refusal = async (options: PullOptions = {}): Promise<SluiceError> => {
  const error: unknown = await fetchTiny(options).catch((thrown: unknown) => thrown);
  if (error instanceof SluiceError) return error;
  throw error;
};
/** All that is in the model's folder, without the folders. */
const inside = async (): Promise<string[]> => {
  const entries = await readdir(home(), { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
};

test('a model is fetched into the cache as its own tools lay it out', async () => {
  const pulled = await fetchTiny();
  expect(pulled).toMatchObject({ name: 'me/tiny', revision: 'main', commit, folder: snapshot() });
  expect(pulled.files.map(({ path }) => path).sort()).toEqual(
    ['1_Pooling/config.json', 'config.json', 'model.safetensors', 'tokenizer.json'].sort(),
  );
  expect(pulled.fetchedBytes).toBe(pulled.bytes);
  expect(Buffer.from(await readFile(join(snapshot(), 'model.safetensors'))).equals(weights)).toBe(true);
  expect(await readFile(join(home(), 'refs', 'main'), 'utf8')).toBe(commit);
  expect((await lstat(join(snapshot(), 'config.json'))).isSymbolicLink()).toBe(true);
  expect(await readlink(join(snapshot(), '1_Pooling', 'config.json'))).toMatch(
    /^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/,
  );
});

test('what is there is not fetched again', async () => {
  await fetchTiny();
  const before = hub.stored.length;
  const { fetchedBytes, bytes } = await fetchTiny();
  expect([fetchedBytes, hub.stored.length]).toEqual([0, before]);
  expect(bytes).toBeGreaterThan(weights.length);
});

test('files can be chosen, and each pattern must fit one', async () => {
  const { files: found } = await fetchTiny({ files: ['*.bin', 'onnx/*'] });
  expect(found.map(({ path }) => path)).toEqual(['pytorch_model.bin', 'onnx/config.json']);
  expect((await refusal({ files: ['*.gguf'] })).message).toMatch(/a pattern fits a file/);
  expect((await refusal({ files: ['confg.json'] })).message).toMatch(/Did you mean "config\.json"/);
});

test('a model without safetensors is refused before anything is fetched', async () => {
  await using bare = await hubServer({ 'config.json': text('{}'), 'pytorch_model.bin': text('pickle') });
  const error = await refusal({ endpoint: bare.endpoint });
  expect(error.message).toMatch(/has none, received \["pytorch_model\.bin"\]/);
  expect(await inside()).toEqual([]);
});

describe('the token', () => {
  test('goes to the hub and to no host that it redirects to', async () => {
    await fetchTiny({ token: 'secret' });
    expect(new Set(hub.asked.map(({ authorization }) => authorization))).toEqual(new Set(['Bearer secret']));
    expect(hub.stored.map(({ authorization }) => authorization)).toEqual([undefined]);
  });

  test('is not in an error', async () => {
    hub.hubTrick = (_, response) => response.writeHead(401).end() !== undefined;
    const error = await refusal({ token: 'secret' });
    expect(JSON.stringify(error) + error.message).not.toMatch(/secret/);
  });
});

describe('a download that was cut', () => {
  test('goes on in the same call where it stopped', async () => {
    hub.trick = (_asked, response, count) => count === 1 && cutAfter(response, weights, 100_000);
    await fetchTiny();
    expect(hub.stored.map(({ range }) => range)).toEqual([undefined, expect.stringMatching(/^bytes=\d+-$/)]);
    expect(Buffer.from(await readFile(join(snapshot(), 'model.safetensors'))).equals(weights)).toBe(true);
  });

  test('leaves no snapshot behind, and the next call goes on', async () => {
    hub.trick = (_asked, response, count) =>
      count === 1 ? cutAfter(response, weights, 100_000) : response.writeHead(503).end() !== undefined;
    const error = await refusal();
    expect([error.code, error.message]).toEqual(['network', expect.stringMatching(/status 503/)]);
    const left = await inside();
    expect(left.filter((name) => name.endsWith('.incomplete'))).toHaveLength(1);
    expect(await readdir(home())).not.toContain('refs');
    expect(await readdir(join(home(), 'snapshots')).catch(() => [])).toEqual([]);
    hub.trick = () => false;
    const { fetchedBytes } = await fetchTiny();
    // How much had come before the cut is the socket's affair.
    expect(fetchedBytes).toBeLessThan(weights.length);
    expect(Buffer.from(await readFile(join(snapshot(), 'model.safetensors'))).equals(weights)).toBe(true);
    expect((await inside()).filter((name) => /incomplete|tmp|lock/.test(name))).toEqual([]);
  });

  test('goes on as long as each try brings something', async () => {
    hub.trick = ({ range }, response) => {
      const from = Number(/\d+/.exec(range ?? '')?.[0] ?? 0);
      return from < 250_000 && cutAfter(response, weights, 40_000, from);
    };
    await fetchTiny({ tries: 2 });
    expect(hub.stored.length).toBeGreaterThan(5);
  });

  test('begins anew where the server gives the whole file', async () => {
    hub.trick = (_asked, response, count) => {
      if (count === 1) return cutAfter(response, weights, 100_000);
      send(response, weights, undefined);
      return true;
    };
    await fetchTiny();
    expect(Buffer.from(await readFile(join(snapshot(), 'model.safetensors'))).equals(weights)).toBe(true);
  });

  test.each([
    [
      'that the server cannot go on from (416)',
      (response: import('node:http').ServerResponse) => response.writeHead(416).end(),
    ],
    [
      'that goes on from another place',
      (response: import('node:http').ServerResponse) =>
        response.writeHead(206, { 'content-range': 'bytes 5-9/300000' }).end('12345'),
    ],
  ])('%s begins anew', async (_what, answer) => {
    hub.trick = (_asked, response, count) => {
      if (count === 1) return cutAfter(response, weights, 100_000);
      return count === 2 && answer(response) !== undefined;
    };
    await fetchTiny();
    expect(hub.stored.at(-1)?.range).toBeUndefined();
    expect(Buffer.from(await readFile(join(snapshot(), 'model.safetensors'))).equals(weights)).toBe(true);
  });

  test('and was damaged since begins anew', async () => {
    hub.trick = (_asked, response, count) =>
      count === 1 ? cutAfter(response, weights, 100_000) : response.writeHead(503).end() !== undefined;
    await refusal();
    const [name = ''] = (await readdir(join(home(), 'blobs'))).filter((one) => one.endsWith('.incomplete'));
    await writeFile(join(home(), 'blobs', name), new Uint8Array(50_000));
    hub.trick = () => false;
    await fetchTiny();
    expect(hub.stored.at(-1)?.range).toBeUndefined();
    expect(Buffer.from(await readFile(join(snapshot(), 'model.safetensors'))).equals(weights)).toBe(true);
  });
});

describe('bytes that are not those of the file are refused, and nothing of them is kept', () => {
  const kept = async (): Promise<string[]> => (await inside()).filter((name) => /[0-9a-f]{64}/.test(name));

  test('a wrong hash', async () => {
    const other = weights.slice();
    other[7] = 1 + (other[7] ?? 0);
    hub.trick = ({ range }, response) => {
      send(response, other, range);
      return true;
    };
    const error = await refusal();
    expect([error.code, error.message]).toEqual(['network', expect.stringMatching(/model\.safetensors has the hash/)]);
    expect(await kept()).toEqual([]);
  });

  test('a small file of another git hash', async () => {
    hub.hubTrick = ({ path }, response) => path.endsWith('/tokenizer.json') && response.end('[]') !== undefined;
    expect((await refusal()).message).toMatch(/tokenizer\.json has the hash/);
  });

  test('more bytes than the list says', async () => {
    hub.trick = (_asked, response) => response.end(Buffer.concat([weights, weights])) !== undefined;
    expect((await refusal()).message).toMatch(/has the 300000 bytes that the hub lists/);
    expect(await kept()).toEqual([]);
  });
});

describe('a server that refuses is told of in one error', () => {
  test.each([
    [401, /is public, or HF_TOKEN may read it.*set HF_TOKEN/],
    [403, /is public, or HF_TOKEN may read it/],
    [404, /the model me\/tiny at revision main exists.*Check its spelling/],
    [400, /status 400/],
  ])('with status %i, at once', async (status, message) => {
    hub.hubTrick = (_asked, response) =>
      response.writeHead(status, { 'x-error-message': 'so it is' }).end() !== undefined;
    const error = await refusal();
    expect([error.code, error.message]).toEqual(['network', expect.stringMatching(message)]);
    expect(error.message).toMatch(/so it is/);
    expect(hub.asked).toHaveLength(1);
  });

  test('with status 500 or 429, after tries that wait', async () => {
    hub.hubTrick = (_asked, response) => response.writeHead(500).end() !== undefined;
    expect((await refusal()).message).toMatch(/status 500/);
    expect(hub.asked).toHaveLength(3);
    hub.hubTrick = (_asked, response, count) =>
      count === 4 && response.writeHead(429, { 'retry-after': '0.01' }).end() !== undefined;
    await fetchTiny();
  });

  test('a file that is gone', async () => {
    hub.trick = (_asked, response) => response.writeHead(404).end() !== undefined;
    expect((await refusal()).message).toMatch(/model\.safetensors exists/);
  });

  test('one that cannot be reached', async () => {
    const { endpoint } = hub;
    await hub[Symbol.asyncDispose]();
    const error = await refusal();
    expect(error.message).toMatch(new RegExp(`${endpoint} can be reached.*Check the connection`));
  });

  test('one that says nothing', async () => {
    hub.trick = () => true;
    expect((await refusal({ patience: 0.05, tries: 2 })).message).toMatch(/nothing for 0\.05 s/);
  });

  test.each([
    ['no JSON', 'hello'],
    ['no commit', '{"siblings":[]}'],
    ['a commit that is a path', '{"sha":"../../x","siblings":[]}'],
  ])('one that is no hub: %s', async (_what, body) => {
    hub.hubTrick = (_asked, response) => response.end(body) !== undefined;
    expect((await refusal()).message).toMatch(/HF_ENDPOINT is a hub/);
  });
});

describe('a secret', () => {
  test('in the address is refused, and not shown', async () => {
    const endpoint = hub.endpoint.replace('://', '://me:hunter2@');
    const { message } = await refusal({ endpoint });
    expect(message).toMatch(/HF_ENDPOINT is an address.*HF_TOKEN/);
    expect(message).not.toContain('hunter2');
  });

  test('given as option with a line break is refused, and not shown', async () => {
    const { message } = await refusal({ token: 'hf_secret\nX' });
    expect(message).toMatch(/the token of the hub, HF_TOKEN, is one word/);
    expect(message).not.toContain('hf_secret');
  });
});

test('a commit that was asked for is held', async () => {
  const other = 'f'.repeat(40);
  expect((await refusal({ revision: other })).message).toMatch(/the hub gives the commit that was asked for|is public/);
  hub.hubTrick = (_asked, response) => response.end(JSON.stringify({ sha: commit, siblings: [] })) !== undefined;
  expect((await refusal({ revision: other })).message).toMatch(/the commit that was asked for, received/);
});

test.each([
  { tries: Number.NaN },
  { tries: 0 },
  { patience: Number.NaN },
])('tries are counted: not %j', async (given) => {
  expect((await refusal(given)).message).toMatch(/tries is a whole number from 1 on/);
});

describe('redirects', () => {
  test('without end are refused', async () => {
    hub.trick = ({ path }, response) => response.writeHead(302, { location: path }).end() !== undefined;
    expect((await refusal()).message).toMatch(/redirects a few times at most/);
  });

  test.each(['file:///etc/passwd', 'ftp://x/y', 'http://['])('to %s are refused', async (location) => {
    hub.trick = (_asked, response) => response.writeHead(302, { location }).end() !== undefined;
    expect((await refusal()).message).toMatch(/redirects to another web address/);
  });
});

test.each([
  '../x.json',
  '/etc/x.json',
  'a\\..\\x.json',
  'C:x.json',
  'a/../../x.json',
  'x\0.json',
  './x.json',
  '.. /x.json',
])('a model that names the file %j is refused', async (path) => {
  await using evil = await hubServer({ ...files, [path]: text('{}') });
  expect((await refusal({ endpoint: evil.endpoint })).message).toMatch(/files of a model are in its folder/);
  expect(await inside()).toEqual([]);
});

test('a list without sizes and hashes is completed by asking for each file', async () => {
  hub.list = () => ({});
  await fetchTiny();
  expect(hub.asked.filter(({ method }) => method === 'HEAD')).toHaveLength(4);
  expect(Buffer.from(await readFile(join(snapshot(), 'model.safetensors'))).equals(weights)).toBe(true);
});

test('progress ends at all bytes, and never goes back', async () => {
  const seen: PullProgress[] = [];
  const { bytes } = await fetchTiny({ onProgress: (progress) => seen.push(progress) });
  expect(seen.at(-1)).toMatchObject({ done: bytes, total: bytes });
  expect(seen.every(({ done }, i) => done >= (seen[i - 1]?.done ?? 0))).toBe(true);
});

test('an abort ends the download, and the next one goes on', async () => {
  const controller = new AbortController();
  hub.trick = (_asked, response) => {
    response.writeHead(200, { 'content-length': weights.length });
    response.write(weights.subarray(0, 100_000), () => setTimeout(() => controller.abort(), 20));
    return true;
  };
  await expect(fetchTiny({ signal: controller.signal })).rejects.toThrow(/abort/i);
  hub.trick = () => false;
  expect((await fetchTiny()).fetchedBytes).toBeLessThan(weights.length);
});

describe('offline', () => {
  test('a model that was fetched is found without a request', async () => {
    await fetchTiny();
    const before = hub.asked.length;
    expect((await fetchTiny({ offline: true })).folder).toBe(snapshot());
    expect((await fetchTiny({ offline: true, revision: commit })).folder).toBe(snapshot());
    expect(hub.asked).toHaveLength(before);
  });

  test('another is refused', async () => {
    expect((await refusal({ offline: true })).message).toMatch(/fetched before.*without --offline/);
    await fetchTiny();
    expect((await refusal({ offline: true, revision: 'other' })).code).toBe('checkpoint');
  });
});

test('two calls at once do not write into each other', async () => {
  const results = await Promise.allSettled([fetchTiny(), fetchTiny()]);
  expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(results.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'busy' } });
});

test.each([
  '',
  '../x',
  'a/b/c',
  'a//b',
  '/etc/passwd',
  'a/..',
  'me/tiny.git',
  'me/--x--',
  'me/tiny@',
  'me/tiny@..',
  'me/tiny@a/../b',
  '-x/y',
])('the name %j is refused', async (name) => {
  await expect(pull(name, { endpoint: hub.endpoint, cache })).rejects.toMatchObject({ code: 'argument' });
  expect(hub.asked).toEqual([]);
});
