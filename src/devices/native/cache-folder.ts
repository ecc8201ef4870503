import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { constants } from 'node:fs';
import { chmod, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { dirname, join } from 'node:path';
import { SluiceError } from '../../base/errors.js';

/** The folder of this user's compiled kernels. */
export function userCache(environment = process.env): string {
  const base =
    environment['XDG_CACHE_HOME'] ||
    (process.platform === 'darwin' ? join(os.homedir(), 'Library', 'Caches') : join(os.homedir(), '.cache'));
  return join(base, 'sluice', 'native');
}

const groupOrAllWrite = constants.S_IWGRP | constants.S_IWOTH;
const sticky = 0o1000;
const isTrusted = (uid: number): boolean => uid === 0 || uid === process.getuid?.();

/**
 * Holds that nobody but this user and root can put code where it is loaded from: the folder is theirs alone, and no
 * folder around it is a stranger's or lets all the world replace it.
 * @throws SluiceError `device` otherwise.
 */
export function requirePrivate(folder: string): void {
  const path = fs.realpathSync(folder);
  const { uid, mode } = fs.statSync(path);
  if (!isTrusted(uid)) throw foreign(path, `it belongs to user ${uid}`);
  if ((mode & groupOrAllWrite) !== 0) throw foreign(path, 'others may write to it', `chmod go-w ${path}`);
  for (let around = dirname(path); around !== dirname(around); around = dirname(around)) {
    const stats = fs.statSync(around);
    const isOpen = (stats.mode & constants.S_IWOTH) !== 0 && (stats.mode & sticky) === 0;
    if (!isTrusted(stats.uid)) throw foreign(around, `it belongs to user ${stats.uid}`);
    if (isOpen) throw foreign(around, 'everybody may write to it', `chmod o-w ${around}`);
  }
}

function foreign(path: string, why: string, command?: string): SluiceError {
  const other = 'set XDG_CACHE_HOME to a folder of your own';
  return new SluiceError('device', {
    rule: 'compiled kernels are code that is run: nobody but its user may write to the folder of their cache',
    received: `${why}: ${path}`, // of a long text the end is cut
    remedy: command === undefined ? `Remove ${path}, or ${other}.` : `Run "${command}", or ${other}.`,
  });
}

export interface CacheFolder {
  readonly path: string;
  /** Why it is a temporary one. */
  readonly notice?: string;
}

/**
 * A private folder that can be written to: `wanted`, else a temporary one that ends with the process.
 * @throws SluiceError `device` for a folder that others could write to, or where no folder can be made.
 */
export function openFolder(wanted: string): CacheFolder {
  try {
    makeFolders(wanted, 0o700);
  } catch {
    return temporaryFolder(wanted);
  }
  requirePrivate(wanted);
  try {
    fs.accessSync(wanted, constants.W_OK);
    return { path: wanted };
  } catch {
    return temporaryFolder(wanted);
  }
}

/** Makes a folder and those around it one by one: under /proc Node's recursive mkdir never comes to an end. */
export function makeFolders(folder: string, mode: number): void {
  if (fs.existsSync(folder)) return;
  makeFolders(dirname(folder), mode);
  try {
    fs.mkdirSync(folder, { mode });
    fs.chmodSync(folder, mode); // whatever the umask
  } catch (error) {
    if (!fs.existsSync(folder)) throw error; // else another process was quicker
  }
}

let temporary: string | undefined;

function temporaryFolder(wanted: string): CacheFolder {
  try {
    if (temporary === undefined) {
      const made = fs.mkdtempSync(join(os.tmpdir(), 'sluice-'));
      process.on('exit', () => fs.rmSync(made, { recursive: true, force: true }));
      temporary = made;
    }
    const notice = `Compiled kernels cannot be kept in ${wanted}: they are made anew for each process, in ${temporary}.`;
    return { path: temporary, notice };
  } catch (cause) {
    throw new SluiceError('device', {
      rule: 'the native device has a folder for compiled kernels',
      received: wanted,
      remedy: 'Set XDG_CACHE_HOME to a folder that can be written to, or use device "wasm".',
      cause,
    });
  }
}

/** The bytes of a file that this user or root wrote and nobody else can change; undefined for any other. */
export function readTrusted(path: string): Buffer | undefined {
  try {
    const stats = fs.lstatSync(path);
    if (!stats.isFile() || !isTrusted(stats.uid) || (stats.mode & groupOrAllWrite) !== 0) return undefined;
    return fs.readFileSync(path);
  } catch {
    return undefined;
  }
}

const temporaryPrefix = '.making-';
const staleAfter = 3_600_000; // milliseconds

/** A name beside the file, for what becomes the file when it is whole. */
export const temporaryName = (folder: string): string => join(folder, temporaryPrefix + randomUUID());

/** What others may do with the files and the libraries of a folder: nothing, or read and run them. */
export const modes = { own: { file: 0o600, library: 0o700 }, shared: { file: 0o644, library: 0o755 } } as const;

/** A file that appears at once and whole, also after the power fails. */
export async function writeWhole(path: string, content: string, mode: number = modes.own.file): Promise<void> {
  const made = temporaryName(dirname(path));
  try {
    await writeFile(made, content, { mode: modes.own.file, flush: true });
    await chmod(made, mode); // whatever the umask
    await rename(made, path);
  } finally {
    await rm(made, { force: true });
  }
}

/** Removes what processes that were killed left half made. */
export function removeStale(folder: string): void {
  for (const name of fs.readdirSync(folder)) {
    if (!name.startsWith(temporaryPrefix)) continue;
    const path = join(folder, name);
    try {
      if (Date.now() - fs.statSync(path).mtimeMs > staleAfter) fs.rmSync(path, { recursive: true });
    } catch {} // another process was quicker
  }
}

/** The sha256 of texts or bytes, in hexadecimal. */
export function digest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  parts.forEach((part, i) => {
    if (i > 0) hash.update('\0');
    hash.update(part);
  });
  return hash.digest('hex');
}
