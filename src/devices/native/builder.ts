import os from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../../base/errors.js';
import { featuresOf, findBaked, flagsDigest, openBaked, platformName } from './baked.js';
import { LibraryCache } from './cache.js';
import { digest, openFolder, userCache } from './cache-folder.js';
import { type Compiler, compile, findCompiler, predefined } from './compiler.js';
import { kernelFlags, processorName } from './flags.js';
import type { KernelSource } from './kernel-source.js';
import { resource } from './resource.js';

const prelude = (): string => resource('prelude.h');

interface Parts {
  readonly cache: LibraryCache;
  readonly description: string;
  /** Without it, the cache holds all that there will be. */
  readonly compiler?: Compiler;
  readonly flags: readonly string[];
}

/** Makes libraries of texts, or finds them in the cache. */
export class Builder {
  /** The compiler, or who made what there is, in a line. */
  readonly description: string;
  readonly #parts: Parts;
  readonly #prelude = prelude();

  private constructor(parts: Parts) {
    this.description = parts.description;
    this.#parts = parts;
  }

  /**
   * With this machine's compiler, or with kernels that were made ahead.
   * @throws SluiceError `device` where there is neither, or no private folder for what is made.
   */
  static async open(onNotice?: (line: string) => void): Promise<Builder> {
    const compiler = await findCompiler();
    const flags = kernelFlags();
    const folder = findBaked(digest(prelude())); // with a compiler, too: a variable that is wrong is an error
    if (compiler === undefined) {
      if (folder === undefined) throw nothingToCompile();
      return new Builder({ cache: new LibraryCache(folder), description: `kernels made ahead, ${folder}`, flags });
    }
    const key = digest(compiler.version, processorName(), ...flags, prelude()).slice(0, 16);
    const { path, notice } = openFolder(join(userCache(), key));
    if (notice !== undefined) onNotice?.(notice);
    return new Builder({ cache: new LibraryCache(path), description: compiler.version, compiler, flags });
  }

  /**
   * Makes kernels into a folder, for machines that have no compiler and a processor of this kind.
   * @throws SluiceError `device` where there is no compiler, or it does not know the processor.
   */
  static async bake(folder: string, march: string): Promise<Builder> {
    const compiler = await findCompiler();
    if (compiler === undefined) throw nothingToCompile();
    const flags = kernelFlags(march);
    const features = featuresOf(await predefined(compiler, flags));
    const baked = { march, platform: platformName(), features, prelude: digest(prelude()), flags: flagsDigest(march) };
    await openBaked(folder, baked);
    const cache = new LibraryCache(folder, 'shared');
    return new Builder({ cache, description: compiler.version, compiler, flags });
  }

  /** Where it keeps what it makes. */
  get folder(): string {
    return this.#parts.cache.folder;
  }

  /** The path of the library made of runtime.c. */
  async runtime(): Promise<string> {
    const text = resource('runtime.c');
    const key = digest(text);
    // With the kernels' flags, so that a compiler that does not know them fails before anything is trained.
    return this.#parts.cache.find(key) ?? this.#make([key], text, ['-pthread'], ['the runtime']);
  }

  /** The library that has the kernel, if it is made already. */
  find({ code }: KernelSource): string | undefined {
    return this.#parts.cache.find(digest(code));
  }

  /** One library of several kernels. */
  make(sources: readonly KernelSource[], signal: AbortSignal): Promise<string> {
    const text = [this.#prelude, ...sources.map(({ code }) => code)].join('\n');
    const keys = sources.map(({ code }) => digest(code));
    return this.#make(
      keys,
      text,
      [],
      sources.map(({ name }) => name),
      signal,
    );
  }

  #make(
    keys: readonly string[],
    text: string,
    more: readonly string[],
    names: readonly string[],
    signal?: AbortSignal,
  ): Promise<string> {
    const { compiler, cache, flags } = this.#parts;
    if (compiler !== undefined)
      return cache.add(keys, (path) => compile(compiler, [...flags, ...more], text, path, signal));
    throw new SluiceError('device', {
      rule: 'without a C compiler, all kernels of a run were made by "sluice kernels build"',
      received: `${names[0]} is not in ${cache.folder}`,
      remedy: 'Make them with this version of Sluice, install a compiler, or use device "wasm".',
    });
  }
}

const nothingToCompile = (): SluiceError =>
  new SluiceError('device', {
    rule: 'the native device needs a C compiler, or kernels that "sluice kernels build" made',
    remedy: 'Install one ("sluice doctor" says how), or use device "wasm".',
  });

/** Compilers that run at a time. */
export const parallelCompilers = (): number => os.availableParallelism();
