import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import { join } from 'node:path';

/** The sha256 of texts or bytes, in hexadecimal. */
export function digest(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part).update('\0');
  return hash.digest('hex');
}

/** The folder of this user's compiled kernels. */
export function userCache(environment = process.env): string {
  const base =
    environment['XDG_CACHE_HOME'] ||
    (process.platform === 'darwin' ? join(os.homedir(), 'Library', 'Caches') : join(os.homedir(), '.cache'));
  return join(base, 'sluice', 'native');
}

/**
 * Compiled libraries in a folder: `SHA256.so` under the hash of its bytes, and `SHA256.json` with the hashes of the
 * kernels' texts in it. A file appears at once and whole, so that several processes may write, or be killed.
 */
export class LibraryCache {
  readonly folder: string;
  /** The library of each kernel, by the hash of its text. */
  readonly #known = new Map<string, string>();
  #next = 0;

  private constructor(folder: string) {
    this.folder = folder;
  }

  /** Opens the folder for what `key` tells apart. */
  static async open(root: string, key: string): Promise<LibraryCache> {
    const folder = join(root, key);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const cache = new LibraryCache(folder);
    for (const name of await readdir(folder)) {
      if (!name.endsWith('.json')) continue;
      const texts = JSON.parse(await readFile(join(folder, name), 'utf8')) as readonly string[];
      for (const text of texts) cache.#known.set(text, join(folder, name.replace(/json$/, 'so')));
    }
    return cache;
  }

  /** The path of a verified library that has the text. */
  find(text: string): string | undefined {
    const path = this.#known.get(text);
    if (path === undefined || !existsSync(path)) return undefined;
    return path;
  }

  /** Keeps what `make` writes to the path it is given, as the library of these texts; says where it is. */
  async add(texts: readonly string[], make: (path: string) => Promise<void>): Promise<string> {
    const temporary = join(this.folder, `.${process.pid}-${this.#next++}`);
    try {
      await make(temporary);
      const sha256 = createHash('sha256')
        .update(await readFile(temporary))
        .digest('hex');
      const path = join(this.folder, `${sha256}.so`);
      await rename(temporary, path);
      await writeFile(temporary, JSON.stringify(texts));
      await rename(temporary, join(this.folder, `${sha256}.json`));
      for (const text of texts) this.#known.set(text, path);
      return path;
    } finally {
      await rm(temporary, { force: true });
    }
  }
}
