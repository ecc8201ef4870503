import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SluiceError } from '../../src/base/errors.js';
import { openSafetensors, parseShardIndex, ShardedSafetensors } from '../../src/formats/safetensors-sharded.js';
import { encodeSafetensors, float32Entry } from '../../src/formats/safetensors-write.js';
import { errorOf } from './make-safetensors.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-shards-'));
  await writeFile(join(folder, first), shard('a', 'b'));
  await writeFile(join(folder, second), shard('c'));
});
afterEach(() => rm(folder, { recursive: true }));

const first = 'model-00001-of-00002.safetensors';
const second = 'model-00002-of-00002.safetensors';
const valuesOf = (name: string): Float32Array => new Float32Array([name.charCodeAt(0), 1]);
const shard = (...names: string[]): Uint8Array =>
  encodeSafetensors(names.map((name) => float32Entry(name, [2], valuesOf(name))));
const goodMap = { a: first, b: first, c: second };

async function index(map: Record<string, string>, metadata: unknown = { total_size: 24 }): Promise<string> {
  const path = join(folder, 'model.safetensors.index.json');
  await writeFile(path, JSON.stringify({ metadata, weight_map: map }));
  return path;
}

const refusal = async (map: Record<string, string>, metadata?: unknown): Promise<string> => {
  const path = await index(map, metadata);
  return (await errorOf(() => ShardedSafetensors.open(path))).message;
};

test('tensors are read from the shards that the index names', async () => {
  const opened = await ShardedSafetensors.open(await index(goodMap));
  expect(opened.names()).toEqual(['a', 'b', 'c']);
  expect(opened.info('c')).toEqual({ dtype: 'F32', shape: [2], byteLength: 8 });
  for (const name of opened.names()) expect(await opened.readFloat32(name)).toEqual(valuesOf(name));
  expect(new Float32Array((await opened.read('b')).buffer)).toEqual(valuesOf('b'));
  expect((await errorOf(() => opened.info('d'))).code).toBe('name');
  await opened.close();
});

describe('a shard is the plain name of a file beside its index', () => {
  test.each([
    '../model.safetensors',
    'sub/model.safetensors',
    '/etc/model.safetensors',
    '..\\model.safetensors',
    'C:model.safetensors',
    'C:\\model.safetensors',
    '%2e%2e%2fmodel.safetensors',
    'a\0.safetensors',
    'a\n.safetensors',
    '.hidden.safetensors',
    '..safetensors',
    'model.bin',
    'file://model.safetensors',
    '',
    `${'x'.repeat(300)}.safetensors`,
  ])('not %j', async (name) => {
    expect(await refusal({ ...goodMap, c: name })).toMatch(/plain name of a \.safetensors file/);
  });
});

test('a shard that is a link to outside is refused unless allowed', async () => {
  const outside = await mkdtemp(join(tmpdir(), 'sluice-outside-'));
  await cp(join(folder, second), join(outside, second));
  await rm(join(folder, second));
  await symlink(join(outside, second), join(folder, second));
  const path = await index(goodMap);
  expect((await errorOf(() => ShardedSafetensors.open(path))).message).toMatch(/link to outside its folder/);
  const opened = await ShardedSafetensors.open(path, { allowLinksOutside: true });
  expect(await opened.readFloat32('c')).toEqual(valuesOf('c'));
  await opened.close();
  await rm(outside, { recursive: true });
});

test('the links of the Hugging Face cache into its blobs are followed', async () => {
  const snapshot = join(folder, 'models--me--tiny', 'snapshots', 'abc');
  const blobs = join(folder, 'models--me--tiny', 'blobs');
  await mkdir(snapshot, { recursive: true });
  await mkdir(blobs);
  for (const name of [first, second]) {
    await cp(join(folder, name), join(blobs, `hash-${name}`));
    await symlink(join('..', '..', 'blobs', `hash-${name}`), join(snapshot, name));
  }
  await cp(await index(goodMap), join(snapshot, 'model.safetensors.index.json'));
  const opened = await openSafetensors(snapshot);
  expect(await opened.readFloat32('c')).toEqual(valuesOf('c'));
  await opened.close();
});

describe('an index that disagrees with its shards is refused', () => {
  test('a tensor missing in its shard', async () => {
    expect(await refusal({ ...goodMap, d: second })).toMatch(/tensor d must be in the shard/);
  });
  test('a tensor in another shard', async () => {
    expect(await refusal({ ...goodMap, c: first })).toMatch(/tensor c must be in the shard that the index says/);
    expect(await refusal({ ...goodMap, b: second })).toMatch(/tensor b in .* must be where the index says/);
  });
  test('a tensor in two shards', async () => {
    await writeFile(join(folder, second), shard('a', 'c'));
    expect(await refusal(goodMap)).toMatch(/tensor a in model-00002.* must be where the index says/);
  });
  test('a tensor that the index does not name', async () => {
    expect(await refusal({ a: first, c: second })).toMatch(/tensor b in .*received "nowhere"/);
  });
  test('a shard that is missing', async () => {
    expect(await refusal({ ...goodMap, d: 'other.safetensors' })).toMatch(
      /every shard .* received \["other\.safetensors"\]/,
    );
  });
  test('a total_size that lies, unless it is not to be checked', async () => {
    expect(await refusal(goodMap, { total_size: 25 })).toMatch(/must be the sum of its tensors, 24, received 25/);
    const opened = await ShardedSafetensors.open(await index(goodMap, { total_size: 25 }), { checkTotalSize: false });
    await opened.close();
  });
});

test('an index without total_size, or with more in its metadata, loads', async () => {
  for (const metadata of [undefined, {}, { total_size: 24.0, total_parameters: 6, list: [{ a: null }, true] }]) {
    const opened = await ShardedSafetensors.open(await index(goodMap, metadata));
    expect(opened.names()).toHaveLength(3);
    await opened.close();
  }
});

describe('a malformed index is refused', () => {
  const parse = (text: string) => parseShardIndex(new TextEncoder().encode(text));
  test.each([
    ['no weight_map', '{}'],
    ['an empty weight_map', '{"weight_map":{}}'],
    ['a repeated tensor', '{"weight_map":{"a":"x.safetensors","\\u0061":"y.safetensors"}}'],
    ['a repeated weight_map', '{"weight_map":{"a":"x.safetensors"},"weight_map":{"b":"x.safetensors"}}'],
    ['a shard that is no text', '{"weight_map":{"a":1}}'],
    ['a forbidden name', '{"weight_map":{"__proto__":"x.safetensors"}}'],
    ['metadata too deep', `{"metadata":${'['.repeat(100_000)}`],
    ['text after the end', '{"weight_map":{"a":"x.safetensors"}}x'],
  ])('%s', (_what, text) => {
    expect(() => parse(text)).toThrow(SluiceError);
  });

  test('more shards than the limit', () => {
    const rows = Array.from({ length: 10_001 }, (_, i) => `"t${i}":"s${i}.safetensors"`);
    expect(() => parse(`{"weight_map":{${rows.join(',')}}}`)).toThrow(/more than 10000 files/);
  });

  test('anything else is read or a format error', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 4 }), fc.nat(30), fc.string({ maxLength: 3 }), (json, at, put) => {
        const text = `{"metadata":${json.slice(0, at)}${put}${json.slice(at)},"weight_map":{"a":"x.safetensors"}}`;
        try {
          parse(text);
        } catch (error) {
          expect(error).toBeInstanceOf(SluiceError);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

test('a shard named a hundred thousand times is one shard', () => {
  const rows = Array.from({ length: 100_000 }, (_, i) => `"t${i}":"x.safetensors"`);
  const { fileOf } = parseShardIndex(new TextEncoder().encode(`{"weight_map":{${rows.join(',')}}}`));
  expect(new Set(fileOf.values())).toEqual(new Set(['x.safetensors']));
});

test('a folder is opened by its single file first, then by its index', async () => {
  await index(goodMap);
  const sharded = await openSafetensors(folder);
  expect(sharded.names()).toEqual(['a', 'b', 'c']);
  await sharded.close();
  await writeFile(join(folder, 'model.safetensors'), shard('z'));
  const single = await openSafetensors(folder);
  expect(single.names()).toEqual(['z']);
  await single.close();
});

test('a folder without safetensors is refused with what was looked for', async () => {
  await mkdir(join(folder, 'empty'));
  await writeFile(join(folder, 'empty', 'pytorch_model.bin'), 'pickle');
  const error = await errorOf(() => openSafetensors(join(folder, 'empty')));
  expect(error.message).toMatch(/must hold model\.safetensors or .* Pickle files .* are not read/);
});
