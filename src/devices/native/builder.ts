import { readFileSync } from 'node:fs';
import os from 'node:os';
import { SluiceError } from '../../base/errors.js';
import { digest, LibraryCache, userCache } from './cache.js';
import { type Compiler, compile, findCompiler } from './compiler.js';
import { kernelFlags, nativeTarget, runtimeFlags } from './flags.js';
import type { KernelSource } from './kernel-source.js';

const resource = (name: string): string => readFileSync(new URL(name, import.meta.url), 'utf8');

/** Makes libraries of texts, or finds them in the cache. */
export class Builder {
  readonly compiler: Compiler;
  readonly #cache: LibraryCache;
  readonly #flags: readonly string[];
  readonly #prelude = resource('./prelude.h');

  private constructor(compiler: Compiler, cache: LibraryCache, flags: readonly string[]) {
    this.compiler = compiler;
    this.#cache = cache;
    this.#flags = flags;
  }

  static async open(): Promise<Builder> {
    const compiler = await findCompiler();
    if (compiler === undefined)
      throw new SluiceError('device', {
        rule: 'the native device needs a C compiler',
        remedy: 'Install one ("sluice doctor" says how), or use device "wasm".',
      });
    const target = nativeTarget();
    const flags = kernelFlags(target);
    const key = digest(compiler.version, target.processor, ...flags, resource('./prelude.h')).slice(0, 16);
    return new Builder(compiler, await LibraryCache.open(userCache(), key), flags);
  }

  /** The path of the library made of runtime.c. */
  async runtime(): Promise<string> {
    const text = resource('./runtime.c');
    const key = digest(text);
    return this.#cache.find(key) ?? this.#cache.add([key], (path) => compile(this.compiler, runtimeFlags, text, path));
  }

  /** The library that has the kernel, if it is made already. */
  find({ code }: KernelSource): string | undefined {
    return this.#cache.find(digest(code));
  }

  /** One library of several kernels. */
  make(sources: readonly KernelSource[]): Promise<string> {
    const text = [this.#prelude, ...sources.map(({ code }) => code)].join('\n');
    return this.#cache.add(
      sources.map(({ code }) => digest(code)),
      (path) => compile(this.compiler, this.#flags, text, path),
    );
  }
}

/** Compilers that run at a time. */
export const parallelCompilers = (): number => os.availableParallelism();
