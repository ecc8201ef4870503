import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  digestFile,
  readSmallFile,
  removeFolder,
  syncFolder,
  writeFileAtomically,
  writeNewFile,
} from '../../src/formats/durable.js';
import { type FileSystem, nodeFileSystem } from '../../src/formats/file-system.js';
import { errorOf } from './make-safetensors.js';
import { MemoryFileSystem, systemError } from './memory-file-system.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-durable-'));
});
afterAll(() => rm(folder, { recursive: true }));

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const content = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) & 255);
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

describe('a new file', () => {
  test('has the bytes of all writes, and tells their size and sha256', async () => {
    const path = join(folder, 'new');
    const digest = await writeNewFile(nodeFileSystem, path, async (sink) => {
      await sink.write(content.subarray(0, 10));
      await sink.write(new Uint8Array(0));
      await sink.write(content.subarray(10));
    });
    expect(digest).toEqual({ size: 5000, sha256: sha256(content) });
    expect(new Uint8Array(await readFile(path))).toEqual(content);
    expect(await digestFile(nodeFileSystem, path)).toEqual(digest);
  });

  test('is whole however few bytes each call writes, interrupted or told to come back', () => {
    const property = fc.asyncProperty(fc.integer({ min: 2, max: 9 }), fc.nat(3), async (part, every) => {
      const fs = new MemoryFileSystem();
      fs.portion = (length) => Math.ceil(length / part);
      let calls = 0;
      fs.fault = (call) => {
        if (call !== 'write' || calls++ % 4 !== every) return undefined;
        return systemError(calls % 8 < 4 ? 'EINTR' : 'EAGAIN', 'write');
      };
      // A failed call of this double has moved half its bytes, as a real one never does: they are written again.
      const digest = await writeNewFile(fs, '/new', (sink) => sink.write(content));
      expect(fs.bytes('/new')).toEqual(content);
      expect(digest).toEqual({ size: 5000, sha256: sha256(content) });
    });
    return fc.assert(property, { numRuns: 40 });
  });

  test('is refused when writing moves nothing', async () => {
    const fs = new MemoryFileSystem();
    fs.portion = () => 0;
    const error = await errorOf(() => writeNewFile(fs, '/new', (sink) => sink.write(content)));
    expect(error.message).toMatch(/must move at least one byte, received 0/);
  });

  test('is refused when it exists', async () => {
    await writeFile(join(folder, 'old'), 'old');
    await expect(writeNewFile(nodeFileSystem, join(folder, 'old'), async () => {})).rejects.toThrow(/EEXIST/);
  });

  test('whose fsync failed is not asked again', async () => {
    const fs = new MemoryFileSystem();
    fs.fault = (call) => (call === 'sync' ? systemError('EIO', 'fsync') : undefined);
    await expect(writeNewFile(fs, '/new', (sink) => sink.write(content))).rejects.toThrow(/EIO/);
    expect(fs.calls.filter((call) => call.startsWith('sync'))).toHaveLength(1);
    expect(fs.calls.at(-1)).toBe('close /new');
  });

  test('takes bytes of shared memory', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(5000));
    shared.set(content);
    const digest = await writeNewFile(nodeFileSystem, join(folder, 'shared'), (sink) => sink.write(shared));
    expect(digest.sha256).toBe(sha256(content));
    expect(new Uint8Array(await readFile(join(folder, 'shared')))).toEqual(content);
  });
});

describe('replacing a file', () => {
  test('leaves the new bytes and nothing else', async () => {
    const inside = await mkdtemp(join(folder, 'replace-'));
    const path = join(inside, 'config.json');
    for (const data of ['{"a":1}', new TextEncoder().encode('{"a":2}')]) {
      await writeFileAtomically(path, data);
      expect(await readFile(path, 'utf8')).toBe(typeof data === 'string' ? data : text(data));
    }
    await writeFileAtomically(path, async (sink) => sink.write(content));
    expect(new Uint8Array(await readFile(path))).toEqual(content);
    expect(await readdir(inside)).toEqual(['config.json']);
  });

  test('killed before any call, then losing power, leaves the old bytes or the new ones', async () => {
    for (let k = 1, ended = false; !ended; k++) {
      expect(k, 'calls of one save').toBeLessThan(500);
      for (const survivors of ['none', 'all', k, -k] as const) {
        const fs = new MemoryFileSystem();
        await writeFileAtomically('/config.json', 'old', { fs });
        fs.settle();
        fs.killAt(k);
        ended = await writeFileAtomically('/config.json', 'new', { fs }).then(
          () => true,
          () => false,
        );
        fs.crash(survivors);
        const left = text(fs.bytes('/config.json'));
        expect(['old', 'new'], `call ${k}, ${survivors}`).toContain(left);
        if (ended) expect(left).toBe('new');
      }
    }
  });

  test('with one failing call leaves the old bytes or the new ones, and no other file', async () => {
    let failures = 0;
    for (let k = 1, ended = false; !ended; k++) {
      expect(k, 'calls of one save').toBeLessThan(500);
      const fs = new MemoryFileSystem();
      await writeFileAtomically('/config.json', 'old', { fs });
      const start = fs.calls.length;
      fs.fault = (call, path, count) => (count - start === k ? systemError('EIO', call, path) : undefined);
      try {
        await writeFileAtomically('/config.json', 'new', { fs });
        ended = true;
      } catch (error) {
        failures++;
        expect(error).toMatchObject({
          code: 'filesystem',
          message: expect.stringMatching(/config\.json must be writable/),
        });
      }
      fs.fault = () => undefined;
      expect(['old', 'new']).toContain(text(fs.bytes('/config.json')));
      expect(await fs.readdir('/')).toEqual(['config.json']);
    }
    expect(failures).toBeGreaterThan(6);
  });

  test.skipIf(!existsSync('/dev/full'))(
    'on a full disk keeps the old bytes and says what to do (/dev/full)',
    async () => {
      const path = join(folder, 'kept.json');
      await writeFileAtomically(path, 'old');
      const full: FileSystem = {
        ...nodeFileSystem,
        open: (at, flags) => open(flags === 'wx' ? '/dev/full' : at, 'r+'),
      };
      const error = await errorOf(() => writeFileAtomically(path, 'new', { fs: full }));
      expect(error.code).toBe('filesystem');
      expect(error.message).toMatch(/ENOSPC.*Free space/);
      expect(await readFile(path, 'utf8')).toBe('old');
    },
  );
});

test('a folder without fsync is let pass, a failing one is not', async () => {
  const fs = new MemoryFileSystem();
  await fs.mkdir('/run');
  fs.fault = (call) => (call === 'sync' ? systemError('EINVAL', 'fsync') : undefined);
  await syncFolder(fs, '/run');
  fs.fault = (call) => (call === 'sync' ? systemError('EIO', 'fsync') : undefined);
  await expect(syncFolder(fs, '/run')).rejects.toThrow(/EIO/);
  expect(fs.calls.at(-1)).toBe('close /run');
});

test('removing a folder that is missing does nothing', async () => {
  const fs = new MemoryFileSystem();
  await removeFolder(fs, '/missing');
  await fs.mkdir('/there');
  await writeNewFile(fs, '/there/file', async () => {});
  await removeFolder(fs, '/there');
  expect(await fs.readdir('/')).toEqual([]);
});

test('a small file is refused when it is not small', async () => {
  await writeFile(join(folder, 'small'), '12345');
  expect(text(await readSmallFile(nodeFileSystem, join(folder, 'small'), 5))).toBe('12345');
  const error = await errorOf(() => readSmallFile(nodeFileSystem, join(folder, 'small'), 4));
  expect(error.message).toMatch(/must not be larger than 4 bytes, received 5/);
});
