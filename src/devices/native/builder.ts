import { readFileSync } from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../../base/errors.js';
import { LibraryCache } from './cache.js';
import { digest, openFolder, userCache } from './cache-folder.js';
import { type Compiler, compile, findCompiler } from './compiler.js';
import { kernelFlags, nativeTarget, runtimeFlags } from './flags.js';
import type { KernelSource } from './kernel-source.js';

const resource = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

/** Makes libraries of texts, or finds them in the cache. */
export class Builder {
  readonly compiler: Compiler;
  /** What its user should know. */
  readonly notices: readonly string[];
  readonly #cache: LibraryCache;
  readonly #flags: readonly string[];
  readonly #prelude: string;

  private constructor(compiler: Compiler) {
    this.compiler = compiler;
    const target = nativeTarget();
    this.#flags = kernelFlags(target);
    this.#prelude = resource('./prelude.h');
    const key = digest(compiler.version, target.processor, ...this.#flags, this.#prelude).slice(0, 16);
    const { path, notice } = openFolder(join(userCache(), key));
    this.#cache = new LibraryCache(path);
    this.notices = notice === undefined ? [] : [notice];
  }

  /** @throws SluiceError `device` where there is no compiler, or no private folder for what it makes. */
  static async open(): Promise<Builder> {
    const compiler = await findCompiler();
    if (compiler !== undefined) return new Builder(compiler);
    throw new SluiceError('device', {
      rule: 'the native device needs a C compiler',
      remedy: 'Install one ("sluice doctor" says how), or use device "wasm".',
    });
  }

  /** Where it keeps what it makes. */
  get folder(): string {
    return this.#cache.folder;
  }

  /** The path of the library made of runtime.c. */
  async runtime(): Promise<string> {
    const text = resource('./runtime.c');
    const key = digest(text);
    const make = (path: string) => compile(this.compiler, runtimeFlags, text, path);
    return this.#cache.find(key) ?? this.#cache.add([key], make);
  }

  /** The library that has the kernel, if it is made already. */
  find({ code }: KernelSource): string | undefined {
    return this.#cache.find(digest(code));
  }

  /** One library of several kernels. */
  make(sources: readonly KernelSource[]): Promise<string> {
    const text = [this.#prelude, ...sources.map(({ code }) => code)].join('\n');
    const keys = sources.map(({ code }) => digest(code));
    return this.#cache.add(keys, (path) => compile(this.compiler, this.#flags, text, path));
  }
}

/** Compilers that run at a time. */
export const parallelCompilers = (): number => os.availableParallelism();
