import * as fs from 'node:fs';
import { writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LibraryCache } from '../../../src/devices/native/cache.js';
import { digest, openFolder, requirePrivate, userCache } from '../../../src/devices/native/cache-folder.js';

const isRoot = process.getuid?.() === 0;
let base = '';
beforeEach(() => {
  base = fs.mkdtempSync(join(os.tmpdir(), 'sluice-test-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  fs.rmSync(base, { recursive: true, force: true });
});

const folder = (name: string, mode: number): string => {
  const path = join(base, name);
  fs.mkdirSync(path);
  fs.chmodSync(path, mode);
  return path;
};
const make = (content: string) => (path: string) => writeFile(path, content);

test('the cache lies in the folder that the system has for caches', () => {
  expect(userCache({ XDG_CACHE_HOME: '/somewhere' })).toBe('/somewhere/sluice/native');
  expect(userCache({ XDG_CACHE_HOME: '' }).startsWith(os.homedir())).toBe(true);
});

test('a folder that is made is its user alone', () => {
  const { path, notice } = openFolder(join(base, 'a', 'b'));
  expect(notice).toBeUndefined();
  expect(fs.statSync(path).mode & 0o777).toBe(0o700);
});

test.skipIf(process.platform !== 'linux')(
  'where no folder can be made, under /proc too, one that ends with the process is taken, with one notice (skipped where there is no /proc)',
  () => {
    const { path, notice } = openFolder('/proc/nope/sluice/native/key');
    expect(notice).toContain('cannot be kept in /proc/nope/sluice/native/key');
    expect(fs.statSync(path).mode & 0o777).toBe(0o700);
  },
);

test.each([0o770, 0o707, 0o777])('a folder with mode %o is refused', (mode) => {
  const path = folder('shared', mode);
  expect(() => requirePrivate(path)).toThrow(`chmod go-w ${fs.realpathSync(path)}`);
  expect(() => openFolder(path)).toThrow('others may write to it');
});

test('a folder in one that everybody may write to is refused', () => {
  const path = join(folder('open', 0o777), 'mine');
  fs.mkdirSync(path, { mode: 0o700 });
  expect(() => requirePrivate(path)).toThrow('everybody may write to it');
});

test('a folder in one that everybody may add to, as the temporary one, is taken', () => {
  const path = join(folder('sticky', 0o1777), 'mine');
  fs.mkdirSync(path, { mode: 0o700 });
  expect(() => requirePrivate(path)).not.toThrow();
});

test.skipIf(!isRoot)("a stranger's folder is refused", () => {
  const path = folder('foreign', 0o755);
  fs.chownSync(path, 12345, 12345);
  expect(() => requirePrivate(path)).toThrow('it belongs to user 12345');
});

test.skipIf(!isRoot)("a link to a stranger's folder is refused", () => {
  fs.chownSync(folder('foreign', 0o755), 12345, 12345);
  fs.symlinkSync(join(base, 'foreign'), join(base, 'link'));
  expect(() => requirePrivate(join(base, 'link'))).toThrow('it belongs to user 12345');
});

test('where no folder can be made, a private temporary one is, with a notice', () => {
  fs.writeFileSync(join(base, 'file'), '');
  const { path, notice } = openFolder(join(base, 'file', 'cache'));
  expect(fs.statSync(path).mode & 0o777).toBe(0o700);
  expect(notice).toContain(path);
  expect(openFolder(join(base, 'file', 'other')).path).toBe(path);
});

test('what was added is found, by this cache and by one that is opened later', async () => {
  const cache = new LibraryCache(base);
  const path = await cache.add(['one', 'two'], make('code'));
  expect(path).toBe(join(base, `${digest('code')}.so`));
  for (const any of [cache, new LibraryCache(base)]) {
    expect([any.find('one'), any.find('two'), any.find('three')]).toEqual([path, path, undefined]);
  }
});

test('a library that was changed is not found, and is made anew', async () => {
  const path = await new LibraryCache(base).add(['one'], make('code'));
  fs.writeFileSync(path, 'evil');
  const cache = new LibraryCache(base);
  expect(cache.find('one')).toBeUndefined();
  expect(await cache.add(['one'], make('code'))).toBe(path);
  expect(cache.find('one')).toBe(path);
  expect(fs.readFileSync(path, 'utf8')).toBe('code');
});

test.each([
  ['that others may write to', (path: string) => fs.chmodSync(path, 0o722)],
  ['that is a link', (path: string) => fs.renameSync(path, `${path}.moved`) ?? fs.symlinkSync(`${path}.moved`, path)],
  ['that is gone', (path: string) => fs.rmSync(path)],
])('a library %s is not found', async (_, change) => {
  change(await new LibraryCache(base).add(['one'], make('code')));
  expect(new LibraryCache(base).find('one')).toBeUndefined();
});

test.skipIf(!isRoot)("a stranger's library is not found", async () => {
  fs.chownSync(await new LibraryCache(base).add(['one'], make('code')), 12345, 12345);
  expect(new LibraryCache(base).find('one')).toBeUndefined();
});

test('a list of texts that was cut short is passed over', async () => {
  const path = await new LibraryCache(base).add(['one'], make('code'));
  fs.truncateSync(path.replace(/so$/, 'json'), 5);
  expect(new LibraryCache(base).find('one')).toBeUndefined();
});

test('what could not be made leaves nothing behind', async () => {
  const cache = new LibraryCache(base);
  const failing = async (path: string) => {
    await writeFile(path, 'half');
    throw new Error('killed');
  };
  await expect(cache.add(['one'], failing)).rejects.toThrow('killed');
  expect(fs.readdirSync(base)).toEqual([]);
});

test('what was left half made an hour ago is removed, and what is being made is not', () => {
  const [old, young] = ['.making-old', '.making-young'].map((name) => join(base, name)) as [string, string];
  for (const path of [old, young]) fs.writeFileSync(path, '');
  fs.utimesSync(old, 0, 0);
  new LibraryCache(base);
  expect(fs.readdirSync(base)).toEqual(['.making-young']);
});
