import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { lockRun } from '../../src/runs/lock.js';
import { bundleChild, startChild } from '../formats/child-process.js';
import { errorOf } from '../formats/make-safetensors.js';
import { MemoryFileSystem, systemError } from '../formats/memory-file-system.js';

let folder: string;
let child: string;
let run: string;
let runs = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-lock-'));
  child = await bundleChild(join(import.meta.dirname, 'hold-lock.ts'), folder);
});
beforeEach(async () => {
  run = join(folder, `run-${runs++}`);
  await mkdir(run);
});
afterAll(() => rm(folder, { recursive: true }));

const start = () => startChild(process.execPath, [child, run]);
const hasProc = existsSync('/proc/self/stat');

test('a lock leaves nothing behind, and may be released twice', async () => {
  const lock = await lockRun(run);
  expect(await readdir(run)).toEqual([expect.stringMatching(`^\\.lock-${process.pid}-`)]);
  await lock.release();
  await lock.release();
  expect(await readdir(run)).toEqual([]);
  await (await lockRun(run))[Symbol.asyncDispose]();
  expect(await readdir(run)).toEqual([]);
});

test('a second lock in the same process is refused, and the first one stays', async () => {
  const lock = await lockRun(run);
  const error = await errorOf(() => lockRun(run));
  expect(error.code).toBe('busy');
  expect(error.message).toContain(`process ${process.pid}, which is this one`);
  expect(await readdir(run)).toHaveLength(1);
  await lock.release();
});

test('a second process is refused, told who holds the folder, and may have it afterwards', async () => {
  const holder = start();
  expect(await holder.next()).toBe('held');
  const error = await errorOf(() => lockRun(run));
  expect(error.code).toBe('busy');
  expect(error.message).toMatch(
    new RegExp(`one process at a time, received "process ${holder.process.pid} on .*stop it`),
  );
  holder.process.stdin.end();
  expect(await holder.next()).toBe('released');
  await holder.ended;
  await (await lockRun(run)).release();
});

test('the lock of a killed process is recovered', async () => {
  const holder = start();
  expect(await holder.next()).toBe('held');
  holder.process.kill('SIGKILL');
  await holder.ended;
  expect(await readdir(run)).toHaveLength(1);
  const lock = await lockRun(run);
  expect(await readdir(run)).toHaveLength(1);
  await lock.release();
});

test('a folder reached through a link is the same folder', async () => {
  await symlink(run, `${run}-link`);
  const holder = start();
  await holder.next();
  expect((await errorOf(() => lockRun(`${run}-link`))).code).toBe('busy');
  holder.process.stdin.end();
  await holder.ended;
});

test('of processes that start at once, at most one holds the folder', async () => {
  for (let round = 0; round < 3; round++) {
    const children = [start(), start(), start(), start()];
    const answers = await Promise.all(children.map((one) => one.next()));
    const holders = answers.filter((answer) => answer === 'held');
    expect(holders.length, answers.join('\n')).toBeLessThanOrEqual(1);
    for (const answer of answers) expect(answer).toMatch(/^held$|must be used by one process at a time/);
    for (const one of children) one.process.stdin.end();
    await Promise.all(children.map((one) => one.ended));
    expect(await readdir(run)).toEqual([]);
  }
});

describe('a lock file', () => {
  const host = encodeURIComponent(hostname());

  /** The name of the lock that this process takes, with parts of it changed. */
  async function nameWith(change: (parts: { pid: string; started: string; boot: string; host: string }) => object) {
    const lock = await lockRun(run);
    const [, pid = '', started = '', boot = ''] = /\.lock-(\d+)-(\d+)-([0-9a-f]*)-/.exec(lock.path) ?? [];
    await lock.release();
    const parts = { pid, started, boot, host };
    const changed = { ...parts, ...change(parts) };
    return `.lock-${changed.pid}-${changed.started}-${changed.boot}-${changed.host}`;
  }

  test.skipIf(!hasProc)('of a process whose number another one has now is recovered (needs /proc)', async () => {
    await writeFile(join(run, await nameWith(() => ({ pid: '1', started: '77777' }))), '');
    await (await lockRun(run)).release();
    expect(await readdir(run)).toEqual([]);
  });

  test.skipIf(!hasProc)('of before the last start of the machine is recovered (needs /proc)', async () => {
    await writeFile(join(run, await nameWith(() => ({ boot: '00000000' }))), '');
    await (await lockRun(run)).release();
    expect(await readdir(run)).toEqual([]);
  });

  test('of a process number that nobody has is recovered', async () => {
    await writeFile(join(run, await nameWith(() => ({ pid: '4194399' }))), '');
    await (await lockRun(run)).release();
    expect(await readdir(run)).toEqual([]);
  });

  test('of a living process whose start is unknown is respected', async () => {
    await writeFile(join(run, await nameWith(() => ({ pid: '1', started: '0' }))), '');
    expect((await errorOf(() => lockRun(run))).message).toMatch(/process 1 on/);
  });

  test('of another machine is respected, and the file named', async () => {
    const name = await nameWith(() => ({ host: 'elsewhere' }));
    await writeFile(join(run, name), '');
    const error = await errorOf(() => lockRun(run));
    expect(error.code).toBe('busy');
    expect(error.message).toContain(`delete ${join(run, name)}.`);
    expect(await readdir(run)).toEqual([name]);
  });

  test('with a name of another kind is none', async () => {
    for (const name of ['.lock', '.lock-1', '.lock-0-0--x', '.lock-a-b-c-d', 'lock-1-1-1-1'])
      await writeFile(join(run, name), '');
    await (await lockRun(run)).release();
    expect(await readdir(run)).toHaveLength(5);
  });
});

test('a folder that is missing or cannot be read is a filesystem error, and nothing is left', async () => {
  expect((await errorOf(() => lockRun(join(folder, 'missing')))).message).toMatch(/must be writable.*ENOENT/);
  const fs = new MemoryFileSystem();
  await fs.mkdir('/run');
  for (const failing of ['open', 'readdir']) {
    fs.fault = (call, path) => (call === failing ? systemError('EACCES', call, path) : undefined);
    const error = await errorOf(() => lockRun('/run', { fs }));
    expect(error.code).toBe('filesystem');
    fs.fault = () => undefined;
    expect(await fs.readdir('/run')).toEqual([]);
  }
});
