import { constants } from 'node:fs';
import { mkdir, open, readdir, realpath, rename, rmdir, stat, statfs, unlink } from 'node:fs/promises';
import { SluiceError } from '../base/errors.js';

/** Where bytes go, in order. The bytes must not change until the promise resolves. */
export interface ByteSink {
  write(bytes: Uint8Array): Promise<void>;
}

export interface FileStatus {
  readonly size: number;
  readonly mtimeMs: number;
  isFile(): boolean;
  isDirectory(): boolean;
}

/** The part of node:fs's FileHandle that durable writing and reading by position need. */
export interface OpenFile {
  read(target: Uint8Array, offset: number, length: number, position: number): Promise<{ readonly bytesRead: number }>;
  write(
    source: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<{ readonly bytesWritten: number }>;
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  stat(): Promise<FileStatus>;
  close(): Promise<void>;
}

/** Every call that checkpoints, logs and locks make to a file system: tests replace it to fail the k-th call. */
export interface FileSystem {
  /** `flags` as for open(2): `r`, `r+`, `wx`, `a+`, or a number. */
  open(path: string, flags: string | number): Promise<OpenFile>;
  mkdir(path: string): Promise<void>;
  readdir(path: string): Promise<string[]>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  rmdir(path: string): Promise<void>;
  stat(path: string): Promise<FileStatus>;
  realpath(path: string): Promise<string>;
  /** Blocks of `bsize` bytes: in all, and those that this user may still take. */
  statfs(path: string): Promise<{ readonly bsize: number; readonly blocks: number; readonly bavail: number }>;
}

/** The machine's own file system. */
export const nodeFileSystem: FileSystem = {
  open: (path, flags) => open(path, flags),
  mkdir: (path) => mkdir(path),
  readdir: (path) => readdir(path),
  rename: (from, to) => rename(from, to),
  unlink: (path) => unlink(path),
  rmdir: (path) => rmdir(path),
  stat: (path) => stat(path),
  realpath: (path) => realpath(path),
  statfs: (path) => statfs(path),
};

/** The code of a failed system call (`ENOSPC`), undefined for every other error. */
export function systemErrorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return undefined;
  return /^E[A-Z0-9]+$/.test(error.code) ? error.code : undefined;
}

const remedies: Readonly<Record<string, string>> = {
  ENOSPC: 'Free space on this disk, keep fewer checkpoints, or choose a folder on another disk.',
  EDQUOT: 'Free space within your quota, keep fewer checkpoints, or choose a folder on another disk.',
  EACCES: 'Check who owns the folder and its permissions.',
  EPERM: 'Check who owns the folder and its permissions.',
  EROFS: 'Choose a folder on a disk that can be written.',
  ENOENT: 'Check the path; the folder may have been moved or deleted.',
  EMFILE: 'Close files, or raise the limit of open files (ulimit -n).',
  EIO: 'The disk or its driver reports an error: check the disk before going on.',
};

/** A failed system call as a `filesystem` error with a remedy; every other error unchanged. */
export function asFileSystemError(error: unknown, rule: string): unknown {
  const code = systemErrorCode(error);
  if (code === undefined || !(error instanceof Error)) return error;
  const remedy = remedies[code] ?? 'Check the path and the disk, then try again.';
  return new SluiceError('filesystem', { rule, received: error.message, remedy, cause: error });
}

/** Runs an action; its failed system calls become `filesystem` errors under this rule. */
export async function underRule<T>(rule: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    throw asFileSystemError(error, rule);
  }
}

/** Whether there is a file or folder of that path that can be seen. */
export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/**
 * Opens a regular file to read it. Throws `format` for a folder, pipe or device: opening a pipe would wait for a writer
 * for ever, hence without blocking and looked at through the open file.
 */
export async function openRegularFile(fs: FileSystem, path: string): Promise<OpenFile> {
  const file = await fs.open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    if ((await file.stat()).isFile()) return file;
    throw new SluiceError('format', {
      rule: 'only a regular file can be read',
      received: path,
      remedy: 'Name a file; save what comes from a pipe as one first.',
    });
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
}
