import * as fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { compile } from '../../../src/devices/native/compiler.js';

let folder = '';
beforeEach(() => {
  folder = fs.mkdtempSync(join(os.tmpdir(), 'sluice-test-'));
});
afterEach(() => {
  vi.useRealTimers();
  fs.rmSync(folder, { recursive: true, force: true });
});

/** A compiler that does what the script says. */
function compilerOf(script: string) {
  const path = join(folder, 'cc');
  fs.writeFileSync(path, `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return { path, version: 'a script' };
}
const output = (): string => join(folder, 'library');

/** Whether a process does anything; one that has ended and was not waited for does not. */
function isRunning(pid: string): boolean {
  try {
    return !/^\d+ \(.*\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

describe.skipIf(process.platform !== 'linux')('a compiler that is ended (skipped where there is no /proc)', () => {
  /** Starts a program, as drivers do, and waits for it while that holds the pipes. */
  async function started(signal?: AbortSignal) {
    const script = `touch "$TMPDIR/half"; sleep 600 & echo $! > ${folder}/made; mv ${folder}/made ${folder}/pid; wait`;
    const compiling = compile(compilerOf(script), [], '', output(), signal);
    compiling.catch(() => {});
    while (!fs.existsSync(join(folder, 'pid'))) await sleep(5);
    return { compiling, pid: fs.readFileSync(join(folder, 'pid'), 'utf8').trim() };
  }

  async function expectEnded(pid: string): Promise<void> {
    while (isRunning(pid)) await sleep(5);
    expect(fs.readdirSync(folder).sort()).toEqual(['cc', 'pid']);
  }

  test('by its device takes with it what it has started, and its temporary files', async () => {
    const abort = new AbortController();
    const { compiling, pid } = await started(abort.signal);
    expect(isRunning(pid)).toBe(true);
    abort.abort();
    await expect(compiling).rejects.toThrow('used before close()');
    await expectEnded(pid);
  });

  test('since it took too long, too', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { compiling, pid } = await started();
    vi.runAllTimers();
    await expect(compiling).rejects.toThrow(/said nothing for 120 seconds.*less to do/);
    vi.useRealTimers();
    await expectEnded(pid);
  });
});

test('a device that is closed before starts no compiler', async () => {
  const compiling = compile(compilerOf('touch "$0.ran"'), [], '', output(), AbortSignal.abort());
  await expect(compiling).rejects.toThrow('used before close()');
  expect(fs.readdirSync(folder)).toEqual(['cc']);
});

test.each([
  ['has no headers', '<stdin>:1:10: fatal error: stdint.h: No such file or directory', 'Install a C compiler with its'],
  [
    'lacks its parts',
    "gcc: fatal error: cannot execute 'cc1': posix_spawnp: No such file",
    'Install a C compiler with its',
  ],
  ['has no room', 'as: /tmp/x.o: error: No space left on device', 'Make room'],
  ['has no memory', 'cc1: out of memory allocating 65536 bytes', 'Free memory'],
  ['was ended by the system', 'gcc: fatal error: Killed signal terminated program cc1', 'Free memory'],
  ['does not know the processor', "cc1: error: bad value ('abacus') for '-march=' switch", 'Use a newer compiler'],
  ['does not take our C', "<stdin>:7:3: error: expected ';' before '}' token", 'Report it as a bug'],
])('a compiler that %s is an error with the remedy for it', async (_, said, remedy) => {
  const compiling = compile(compilerOf(`echo ${JSON.stringify(said)} >&2; exit 1`), [], '', output());
  await expect(compiling).rejects.toMatchObject({
    ...{ code: 'device', received: said, remedy: expect.stringContaining(remedy) },
  });
  expect(fs.readdirSync(folder)).toEqual(['cc']);
});
