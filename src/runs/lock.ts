import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../base/errors.js';
import { type FileSystem, nodeFileSystem, systemErrorCode, underRule } from '../formats/file-system.js';

/** The right to write into a run folder, until released. */
export interface RunLock {
  readonly path: string;
  /** Gives the folder free; once is enough, more does no harm. */
  release(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A process as the name of its lock file tells it. */
interface Holder {
  readonly pid: number;
  /** Clock ticks from the machine's start to the process's; 0 where there is no /proc. */
  readonly started: string;
  /** The machine's start, so that a pid of before a reboot is not taken for one of now. */
  readonly boot: string;
  /** As a file name holds it. */
  readonly host: string;
}

const attempts = 3;

/**
 * Takes the run folder for this process. A lock of a process that has ended (also one killed, or of before a reboot) is
 * removed. Throws `busy` naming the process that holds it, `filesystem` when the folder cannot be written.
 *
 * Every process makes a lock file of its own name and then looks for others: of two that start at once, at least the one
 * that looks last sees the other. A shared file could not be taken over safely: between reading that its holder is dead
 * and replacing it, another may have done so.
 */
export async function lockRun(
  folder: string,
  { fs = nodeFileSystem }: { readonly fs?: FileSystem } = {},
): Promise<RunLock> {
  const self = await thisProcess();
  const path = join(folder, lockName(self));
  for (let attempt = 1; ; attempt++) {
    await underRule(`${folder} must be writable`, () => claim(fs, path, folder));
    let other: Holder | undefined;
    try {
      other = await underRule(`${folder} must be readable`, () => otherHolder(fs, folder, self));
    } catch (error) {
      await remove(fs, path).catch(() => undefined);
      throw error;
    }
    if (other === undefined) return lockAt(fs, path);
    await remove(fs, path).catch(() => undefined);
    if (attempt === attempts) throw busy(folder, other, self);
    // Two that started at the same moment see each other; their pids part them.
    await delay(5 + (process.pid % 11) * 7);
  }
}

function lockAt(fs: FileSystem, path: string): RunLock {
  let held = true;
  const release = async (): Promise<void> => {
    if (!held) return;
    held = false;
    await underRule(`${path} must be removable`, () => remove(fs, path));
  };
  return { path, release, [Symbol.asyncDispose]: release };
}

async function claim(fs: FileSystem, path: string, folder: string): Promise<void> {
  try {
    const file = await fs.open(path, 'wx');
    await file.close();
  } catch (error) {
    if (systemErrorCode(error) !== 'EEXIST') throw error;
    const remedy = `Release the first lock, or delete ${path} if nothing holds it.`;
    const received = `process ${process.pid}, which is this one`;
    throw new SluiceError('busy', { rule: `${folder} must be used once at a time`, received, remedy });
  }
}

async function remove(fs: FileSystem, path: string): Promise<void> {
  try {
    await fs.unlink(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}

/** Another process that holds the folder or may hold it; the locks of those that ended are removed. */
async function otherHolder(fs: FileSystem, folder: string, self: Holder): Promise<Holder | undefined> {
  let found: Holder | undefined;
  for (const name of await fs.readdir(folder)) {
    const holder = parseLockName(name);
    if (holder === undefined || name === lockName(self)) continue;
    if (await hasEnded(holder, self)) await remove(fs, join(folder, name));
    else found = holder;
  }
  return found;
}

function busy(folder: string, other: Holder, self: Holder): SluiceError {
  const path = join(folder, lockName(other));
  const elsewhere = `It is on another machine, so whether it still runs cannot be seen from here: if not, delete ${path}.`;
  return new SluiceError('busy', {
    rule: `${folder} must be used by one process at a time`,
    received: `process ${other.pid} on ${other.host}`,
    remedy: other.host === self.host ? 'Wait for that process, stop it, or use another folder.' : elsewhere,
  });
}

const lockName = ({ pid, started, boot, host }: Holder): string => `.lock-${pid}-${started}-${boot}-${host}`;

/** Whether a file's name is that of a run's lock. */
export const isLockName = (name: string): boolean => parseLockName(name) !== undefined;

function parseLockName(name: string): Holder | undefined {
  const [, pid, started, boot, host] = /^\.lock-([1-9][0-9]*)-([0-9]+)-([0-9a-f]*)-(.+)$/.exec(name) ?? [];
  if (pid === undefined || started === undefined || boot === undefined || host === undefined) return undefined;
  return { pid: Number(pid), started, boot, host };
}

async function thisProcess(): Promise<Holder> {
  const boot = await readText('/proc/sys/kernel/random/boot_id');
  const started = (await processStatus(process.pid))?.started ?? '0';
  return { pid: process.pid, started, boot: boot?.slice(0, 8) ?? '', host: encodeURIComponent(hostname()) };
}

async function hasEnded(holder: Holder, self: Holder): Promise<boolean> {
  if (holder.host !== self.host) return false;
  if (holder.boot !== self.boot) return true;
  if (!signalReaches(holder.pid)) return true;
  const status = await processStatus(holder.pid);
  // Without /proc, a living pid counts as the holder: a false refusal is better than two writers.
  if (status === undefined || holder.started === '0') return false;
  return status.zombie || status.started !== holder.started;
}

function signalReaches(pid: number): boolean {
  try {
    return process.kill(pid, 0); // Signal 0 only asks.
  } catch (error) {
    return systemErrorCode(error) === 'EPERM';
  }
}

/** From /proc/PID/stat, whose second field (the command, in parentheses) may hold blanks and parentheses. */
async function processStatus(pid: number): Promise<{ started: string; zombie: boolean } | undefined> {
  const text = await readText(`/proc/${pid}/stat`);
  const fields = text?.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, started] = [fields?.[0], fields?.[19]];
  if (state === undefined || started === undefined) return undefined;
  return { started, zombie: state === 'Z' || state === 'X' };
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}
