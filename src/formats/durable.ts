import { createHash } from 'node:crypto';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { SluiceError } from '../base/errors.js';
import {
  type ByteSink,
  type FileSystem,
  nodeFileSystem,
  type OpenFile,
  openRegularFile,
  systemErrorCode,
  underRule,
} from './file-system.js';

/** A file as a manifest records it: bytes, and the lower-case hexadecimal sha256 of them. */
export interface FileDigest {
  readonly size: number;
  readonly sha256: string;
}

/** One call moves at most this many bytes: more than 2 GiB in one call fails in Node. */
const chunkBytes = 16 * 2 ** 20;
const mostInterruptions = 1000;

/** Repeats a call that a signal interrupted or that would have blocked. */
async function uninterrupted<T>(call: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const code = systemErrorCode(error);
      if ((code !== 'EINTR' && code !== 'EAGAIN') || tries === mostInterruptions) throw error;
      if (code === 'EAGAIN') await delay(1);
    }
  }
}

/** Writes all the bytes at a position, however few each call takes; gives the position after them. */
export async function writeFully(file: OpenFile, bytes: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const length = Math.min(chunkBytes, bytes.length - done);
    const { bytesWritten } = await uninterrupted(() => file.write(bytes, done, length, position + done));
    if (bytesWritten <= 0) throw stalled('write', bytesWritten);
    done += bytesWritten;
  }
  return position + done;
}

/** Fills the target from a position on; gives the number of bytes read, less than its length only at the file's end. */
export async function readFully(file: OpenFile, target: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < target.length) {
    const length = Math.min(chunkBytes, target.length - done);
    const { bytesRead } = await uninterrupted(() => file.read(target, done, length, position + done));
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

const stalled = (call: string, received: number): SluiceError =>
  new SluiceError('filesystem', {
    rule: `a ${call} must move at least one byte`,
    received,
    remedy: 'Check the disk, then try again.',
  });

/**
 * Makes a new file, hands a sink to `fill`, and returns once its bytes are on the disk (fsync); the folder's entry is
 * durable only after {@link syncFolder}. Throws if the file exists; leaves what was written when something fails.
 */
export async function writeNewFile(
  fs: FileSystem,
  path: string,
  fill: (sink: ByteSink) => Promise<void>,
): Promise<FileDigest> {
  const hash = createHash('sha256');
  const file = await fs.open(path, 'wx');
  let size = 0;
  try {
    await fill({
      async write(bytes) {
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          const piece = bytes.subarray(at, at + chunkBytes);
          const writing = writeFully(file, piece, size);
          hash.update(piece); // While another thread writes.
          size = await writing;
        }
      },
    });
    // A failed fsync is final: the kernel may have dropped the pages, and asking again would report success.
    await file.sync();
  } catch (error) {
    await file.close().catch(() => undefined);
    throw error;
  }
  await file.close();
  return { size, sha256: hash.digest('hex') };
}

/** Makes the entries of a folder durable: files made, renamed and removed in it. */
export async function syncFolder(fs: FileSystem, path: string): Promise<void> {
  if (process.platform === 'win32') return; // Folders cannot be opened there.
  const folder = await fs.open(path, 'r');
  try {
    await folder.sync();
  } catch (error) {
    // Some network file systems have no fsync of folders; there is nothing better to do on them.
    if (!['EINVAL', 'ENOTSUP'].includes(systemErrorCode(error) ?? '')) throw error;
  } finally {
    await folder.close();
  }
}

let written = 0;

/** A file name beside `path` that no other process or call uses. */
function besideName(path: string): string {
  const started = Math.trunc(performance.timeOrigin).toString(36);
  return join(dirname(path), `.${basename(path)}.tmp-${process.pid}-${started}-${written++}`);
}

/**
 * Replaces a file at once: a reader, and a crash at any moment, finds the old bytes or the new ones.
 * The new ones are durable when the promise resolves. Throws `filesystem`; the old file is then intact.
 */
export async function writeFileAtomically(
  path: string,
  data: string | Uint8Array | ((sink: ByteSink) => Promise<void>),
  { fs = nodeFileSystem }: { readonly fs?: FileSystem } = {},
): Promise<FileDigest> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  const beside = besideName(path);
  return underRule(`${path} must be writable`, async () => {
    try {
      const digest = await writeNewFile(fs, beside, bytes instanceof Uint8Array ? (sink) => sink.write(bytes) : bytes);
      await fs.rename(beside, path);
      await syncFolder(fs, dirname(path));
      return digest;
    } catch (error) {
      await fs.unlink(beside).catch(() => undefined);
      throw error;
    }
  });
}

/** Reads a whole file of at most `limit` bytes. Throws `filesystem`, or `format` when it is larger. */
export async function readSmallFile(fs: FileSystem, path: string, limit: number): Promise<Uint8Array> {
  return underRule(`${path} must be readable`, () =>
    withFile(fs, path, async (file) => {
      const { size } = await file.stat();
      if (size > limit) {
        throw new SluiceError('format', {
          rule: `${path} must not be larger than ${limit} bytes`,
          received: size,
          remedy: 'Check that the path names the right file.',
        });
      }
      const bytes = new Uint8Array(size);
      return bytes.subarray(0, await readFully(file, bytes, 0));
    }),
  );
}

/** The size and sha256 of a file, read in pieces. */
export async function digestFile(fs: FileSystem, path: string): Promise<FileDigest> {
  return withFile(fs, path, async (file) => {
    const hash = createHash('sha256');
    // One byte more than the file, so that its end shows in the same call.
    const piece = new Uint8Array(Math.min(4 * 2 ** 20, (await file.stat()).size + 1));
    let size = 0;
    for (;;) {
      const length = await readFully(file, piece, size);
      hash.update(piece.subarray(0, length));
      size += length;
      if (length < piece.length) return { size, sha256: hash.digest('hex') };
    }
  });
}

/** Opens a regular file to read it and closes it again. */
export async function withFile<T>(fs: FileSystem, path: string, use: (file: OpenFile) => Promise<T>): Promise<T> {
  const file = await openRegularFile(fs, path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

/** Removes a folder of files (none of them folders); what is missing already is fine. */
export async function removeFolder(fs: FileSystem, path: string): Promise<void> {
  try {
    for (const name of await fs.readdir(path)) await fs.unlink(join(path, name));
    await fs.rmdir(path);
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
  }
}
