import * as fs from 'node:fs';
import { chmod, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { digest, modes, readTrusted, removeStale, temporaryName, writeWhole } from './cache-folder.js';

/**
 * Compiled libraries in a folder that nobody else writes to: `SHA256.so` under the hash of its bytes, and `SHA256.json` with the hashes of
 * the texts in it. Files appear at once and whole, so that several processes may write, or be killed.
 */
export class LibraryCache {
  /** Where it writes. */
  readonly folder: string;
  /** The libraries that say to have a text, by the text's hash. */
  readonly #known = new Map<string, string[]>();
  readonly #verified = new Map<string, boolean>();
  readonly #modes: (typeof modes)[keyof typeof modes];

  /** @param readers whose the libraries are: this user's alone, or all may read and run them. */
  constructor(folder: string, readers: keyof typeof modes = 'own') {
    this.folder = folder;
    this.#modes = modes[readers];
    removeStale(folder);
    for (const name of fs.readdirSync(folder)) if (/^[0-9a-f]{64}\.json$/.test(name)) this.#learn(join(folder, name));
  }

  #learn(manifest: string): void {
    const path = manifest.replace(/json$/, 'so');
    try {
      const texts: unknown = JSON.parse(readTrusted(manifest)?.toString() ?? '[]');
      if (Array.isArray(texts)) for (const text of texts) this.#add(String(text), path);
    } catch {} // what cannot be read is made anew
  }

  #add(text: string, path: string): void {
    this.#known.set(text, [...(this.#known.get(text) ?? []), path]);
  }

  /** The path of a library that has the text and is as it was written. */
  find(text: string): string | undefined {
    return this.#known.get(text)?.find((path) => this.#verify(path));
  }

  #verify(path: string): boolean {
    const known = this.#verified.get(path);
    if (known !== undefined) return known;
    const bytes = readTrusted(path);
    const isWhole = bytes !== undefined && `${digest(bytes)}.so` === basename(path);
    this.#verified.set(path, isWhole);
    return isWhole;
  }

  /** Keeps what `make` writes to the path it is given, as the library of these texts; says where it is. */
  async add(texts: readonly string[], make: (path: string) => Promise<void>): Promise<string> {
    const made = temporaryName(this.folder);
    try {
      await make(made);
      await chmod(made, this.#modes.library);
      const sha256 = digest(await readFile(made));
      const path = join(this.folder, `${sha256}.so`);
      await rename(made, path);
      await writeWhole(join(this.folder, `${sha256}.json`), JSON.stringify(texts), this.#modes.file);
      this.#verified.set(path, true);
      for (const text of texts) this.#add(text, path);
      return path;
    } finally {
      await rm(made, { force: true });
    }
  }
}
