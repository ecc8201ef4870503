import { execFile, spawn } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findCompiler } from '../../../src/devices/native/compiler.js';
import { commandFor } from '../../../src/devices/native/inspect.js';
import type { MachineReport } from '../../../src/experiments/machine.js';

const root = join(import.meta.dirname, '../../..');
const bin = join(root, 'bin/sluice.js');
const compiler = await findCompiler();

let cache = '';
beforeEach(() => {
  cache = fs.mkdtempSync(join(os.tmpdir(), 'sluice-test-'));
});
afterEach(() => fs.rmSync(cache, { recursive: true, force: true }));

interface Answer {
  readonly code: number;
  readonly out: string;
  readonly error: string;
}

/** Runs Node with an empty cache of its own. */
async function node(args: readonly string[], environment: Record<string, string> = {}): Promise<Answer> {
  const env = { ...process.env, XDG_CACHE_HOME: cache, ...environment };
  try {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, { env });
    return { code: 0, out: stdout, error: stderr };
  } catch (failure) {
    const { code, stdout, stderr } = failure as { code: number; stdout: string; stderr: string };
    return { code, out: stdout, error: stderr };
  }
}

const evaluate = (device: string): string[] => [
  ...[bin, 'activations', 'eval', 'relu', '--x=-1,2'],
  ...['--device', device, '--json'],
];
const run = (device: string, environment?: Record<string, string>): Promise<Answer> =>
  node(evaluate(device), environment);

/** Relu of -1 and 2, on a device. */
function expectRight({ code, out, error }: Answer, device: string): void {
  expect({ code, error: code === 0 ? '' : error }).toEqual({ code: 0, error: '' });
  expect(JSON.parse(out)).toMatchObject({ device, y: [0, 2], dy: [0, 1] });
}

const withoutCompiler: [string, Record<string, string>, string][] = [
  ['SLUICE_CC=none', { SLUICE_CC: 'none' }, 'Unset SLUICE_CC'],
  ['an empty PATH', { PATH: '' }, 'sluice doctor'],
];
describe.each(withoutCompiler)('with %s', (_, environment, remedy) => {
  test('the native device is an error that says what to do', async () => {
    const { code, error } = await run('native', environment);
    expect(code).not.toBe(0);
    expect(error).toContain('needs a C compiler');
    expect(error).toContain(remedy);
  });

  test('the automatic device is wasm, and one line says why', async () => {
    const answer = await run('auto', environment);
    expectRight(answer, 'wasm');
    expect(answer.error.match(/^Not native: .*$/gm)).toHaveLength(1);
  });
});

test.each(['SLUICE_CC', 'SLUICE_BLAS'])('%s that names nothing is an error on every device that asks', async (name) => {
  if (name === 'SLUICE_BLAS' && compiler === undefined) return;
  for (const device of ['native', 'auto']) {
    const { code, error } = await run(device, { [name]: '/nowhere/at/all' });
    expect(code).not.toBe(0);
    expect(error).toContain(`${name} names`);
  }
});

describe.skipIf(compiler === undefined)('with a compiler (skipped where there is none)', () => {
  /** The compiler behind a script, for what must happen around it. */
  function wrapped(script: string): string {
    const path = join(cache, 'cc');
    fs.writeFileSync(path, `#!/bin/sh\n${script}\nexec ${compiler?.path} "$@"\n`, { mode: 0o755 });
    return path;
  }
  const libraries = (): string[] =>
    fs
      .readdirSync(join(cache, 'sluice'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.so'))
      .map((name) => join(cache, 'sluice', name));

  test('it works without a BLAS', async () => {
    expectRight(await run('native', { SLUICE_BLAS: 'none' }), 'native');
  });

  test('two processes that start at once on an empty cache are both right', async () => {
    for (const answer of await Promise.all([run('native'), run('native'), run('native')]))
      expectRight(answer, 'native');
    expect(fs.readdirSync(cache, { recursive: true }).filter((name) => String(name).includes('.making-'))).toEqual([]);
  });

  test('a second process compiles nothing', async () => {
    const cc = wrapped('case "$*" in *-shared*) echo compiled >> "$(dirname "$0")/log";; esac');
    const log = (): number => fs.readFileSync(join(cache, 'log'), 'utf8').split('\n').length - 1;
    expectRight(await run('native', { SLUICE_CC: cc }), 'native');
    const before = log();
    expect(before).toBeGreaterThan(0);
    expectRight(await run('native', { SLUICE_CC: cc }), 'native');
    expect(log()).toBe(before);
  });

  test('libraries that were changed are made anew', async () => {
    expectRight(await run('native'), 'native');
    for (const path of libraries()) fs.appendFileSync(path, 'x');
    expectRight(await run('native'), 'native');
    for (const path of libraries()) expect(fs.readFileSync(path).at(-1)).not.toBe('x'.charCodeAt(0));
  });

  test('a cache that others may write to is refused; the automatic device says so and is wasm', async () => {
    expectRight(await run('native'), 'native');
    fs.chmodSync(join(cache, 'sluice', 'native'), 0o777);
    const { code, error } = await run('native');
    expect(code).not.toBe(0);
    expect(error).toContain('chmod');
    const answer = await run('auto');
    expectRight(answer, 'wasm');
    expect(answer.error).toMatch(/^Not native: .*everybody may write to it/m);
  });

  test('where nothing can be kept, kernels are made for the process, with one warning, and removed', async () => {
    const temporary = join(cache, 'tmp');
    fs.mkdirSync(temporary);
    const answer = await run('native', { XDG_CACHE_HOME: '/dev/null/cache', TMPDIR: temporary });
    expectRight(answer, 'native');
    expect(answer.error.match(/^.*cannot be kept in .*$/gm)).toHaveLength(1);
    expect(fs.readdirSync(temporary)).toEqual([]);
  });

  test('a process that is killed while it compiles leaves nothing wrong', async () => {
    const started = join(cache, 'started');
    const cc = wrapped(`case "$*" in *-shared*) touch ${started}; sleep 0.5;; esac`);
    const env = { ...process.env, XDG_CACHE_HOME: cache, SLUICE_CC: cc };
    const child = spawn(process.execPath, evaluate('native'), { env, stdio: 'ignore' });
    while (!fs.existsSync(started)) await sleep(10);
    child.kill('SIGKILL');
    expectRight(await run('native', { SLUICE_CC: cc }), 'native');
  });

  test('a compiler that fails is an error, or the way to wasm, with what it said', async () => {
    const cc = wrapped('case "$*" in *-shared*) echo "fatal error: stdint.h: No such file" >&2; exit 1;; esac');
    const { code, error } = await run('native', { SLUICE_CC: cc });
    expect(code).not.toBe(0);
    expect(error).toContain('stdint.h: No such file');
    const answer = await run('auto', { SLUICE_CC: cc });
    expectRight(answer, 'wasm');
    expect(answer.error).toMatch(/^Not native: .*stdint.h: No such file/m);
  });

  const inNative = (more: string): string => `
    const { openDevice } = await import(${JSON.stringify(pathToFileURL(join(root, 'dist/devices/open.js')).href)});
    const device = await openDevice('native', { threads: 2 });
    const buffer = device.allocate('float32', 1 << 20);
    const view = { buffer, offset: 0, shape: [1 << 20], strides: [1] };
    device.random('normal', { k0: 1, k1: 2 }, view);
    const values = await device.read(view);
    if (!values.every(Number.isFinite)) throw new Error('not numbers');
    ${more}`;

  test('a process ends by itself and well, whether the device is closed or not, and whatever is queued', async () => {
    const busy = "for (let i = 0; i < 40; i++) device.random('normal', { k0: 1, k1: i }, view);";
    for (const more of ['', 'await device.close();', 'process.exit(0);', `${busy} process.exit(0);`]) {
      expect(await node(['--input-type=module', '-e', inNative(more)])).toEqual({ code: 0, out: '', error: '' });
    }
  });

  test('it works in worker threads that end, or are ended, without closing it', async () => {
    const source = JSON.stringify(inNative("(await import('node:worker_threads')).parentPort.postMessage('done');"));
    const script = `
      const { Worker } = await import('node:worker_threads');
      const { once } = await import('node:events');
      const url = new URL('data:text/javascript,' + encodeURIComponent(${source}));
      const workers = [0, 1, 2].map(() => new Worker(url));
      await Promise.all(workers.map((worker) => once(worker, 'message')));
      await workers[0].terminate();
      console.log('done');`;
    expect(await node(['--input-type=module', '-e', script])).toEqual({ code: 0, out: 'done\n', error: '' });
  });

  test('doctor shows the parts, and clears the cache', async () => {
    expectRight(await run('native'), 'native');
    const { out } = await node([bin, 'doctor', '--json']);
    const { native } = JSON.parse(out) as { native: { part: string; found: boolean }[] };
    expect(native.map(({ part }) => part)).toEqual(['koffi', 'compiler', 'BLAS', 'instruction sets', 'cache']);
    expect(native.find(({ part }) => part === 'compiler')?.found).toBe(true);
    const ahead = join(cache, 'sluice', 'native', 'baked-x86-64-v3', 'made-ahead.so');
    fs.mkdirSync(dirname(ahead));
    fs.writeFileSync(ahead, '');
    await node([bin, 'doctor', '--clear-cache']);
    expect(libraries()).toEqual([ahead]);
  });

  test('doctor says what to do about a cache that cannot be used, once', async () => {
    const folder = join(cache, 'sluice', 'native');
    fs.mkdirSync(folder, { recursive: true });
    fs.chmodSync(folder, 0o777);
    const { native, devices, advice } = JSON.parse((await node([bin, 'doctor', '--json'])).out) as MachineReport;
    const parts = Object.fromEntries(native.map((part) => [part.part, part]));
    expect(parts['cache']).toMatchObject({
      found: false,
      description: expect.stringContaining('others may write to it'),
    });
    expect(parts['BLAS']).toMatchObject({ found: false, description: expect.stringContaining('not looked for') });
    expect(devices.find(({ name }) => name === 'native')).toMatchObject({ works: false });
    expect(advice.filter((line) => line.includes(`chmod go-w ${fs.realpathSync(folder)}`))).toHaveLength(1);
  });

  test('doctor says what to do about headers that are missing, once', async () => {
    const cc = wrapped('case "$*" in *-shared*) echo "fatal error: stdint.h: No such file" >&2; exit 1;; esac');
    const { advice } = JSON.parse((await node([bin, 'doctor', '--json'], { SLUICE_CC: cc })).out) as MachineReport;
    expect(advice.filter((line) => line.includes(commandFor('compiler')))).toHaveLength(1);
    expect(advice.join()).not.toContain('sluice doctor');
  });
});
