import { type Builder, parallelCompilers } from './builder.js';
import type { KernelSource } from './kernel-source.js';
import { notLoaded, type RuntimeLibrary } from './library.js';

/** A kernel that may be asked for before it is compiled. */
export interface NativeKernel {
  readonly source: KernelSource;
}

/** The same with where its code is. */
export interface LoadedKernel extends NativeKernel {
  /** The function's address, 0 until it is compiled. */
  entry: number;
}

/** Characters of C that are worth the start of a compiler, which takes as long as a small kernel. */
const fewestCharacters = 12_000;
/** Texts for each compiler when it is given the first: later ones are smaller, so that all end together. */
const turns = 2;

/** Loads kernels from the cache, and has compilers make the others, several at a time. */
export class KernelLoader {
  readonly #builder: Builder;
  readonly #library: RuntimeLibrary;
  readonly #onLoaded: (failure?: unknown) => void;
  readonly #byKey = new Map<string, LoadedKernel>();
  readonly #byName = new Map<string, LoadedKernel>();
  readonly #libraries = new Map<string, number>();
  #missing: LoadedKernel[] = [];
  #running = 0;
  #failure: unknown;
  #onIdle: (() => void)[] = [];
  #isScheduled = false;
  #isClosed = false;
  readonly #abort = new AbortController();

  /** `onLoaded` hears of each library that was made, or could not be. */
  constructor(builder: Builder, library: RuntimeLibrary, onLoaded: (failure?: unknown) => void) {
    this.#builder = builder;
    this.#library = library;
    this.#onLoaded = onLoaded;
  }

  /** The kernel of this key, whose text is asked for the first time. */
  kernel(key: string, source: () => KernelSource): LoadedKernel {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const text = source();
    const kernel = this.#byName.get(text.name) ?? this.#open(text);
    this.#byName.set(text.name, kernel);
    this.#byKey.set(key, kernel);
    return kernel;
  }

  #open(source: KernelSource): LoadedKernel {
    const kernel = { source, entry: 0 };
    const path = this.#builder.find(source);
    if (path !== undefined) kernel.entry = this.#entry(path, source.name);
    if (kernel.entry === 0) this.#order(kernel);
    return kernel;
  }

  /** Compilers start at the end of the turn, when most of a step is known. */
  #order(kernel: LoadedKernel): void {
    this.#missing.push(kernel);
    // A long one is begun at once, while the host goes on to the others.
    if (kernel.source.code.length >= fewestCharacters) this.#start();
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      this.#start();
    });
  }

  /** The longest first, so that no compiler ends long after the others. */
  #start(): void {
    if (this.#isClosed) return;
    this.#missing.sort((a, b) => b.source.code.length - a.source.code.length);
    const compilers = parallelCompilers();
    while (this.#missing.length > 0 && this.#running < compilers) {
      const all = this.#missing.reduce((sum, { source }) => sum + source.code.length, 0);
      const room = Math.max(fewestCharacters, all / (turns * compilers));
      let [count, characters] = [0, 0];
      while (count < this.#missing.length && (count === 0 || characters < room)) {
        characters += this.#missing[count++]?.source.code.length ?? 0;
      }
      void this.#make(this.#missing.splice(0, count));
    }
  }

  /** Ends the compilers. */
  close(): void {
    this.#isClosed = true;
    this.#abort.abort();
  }

  async #make(kernels: readonly LoadedKernel[]): Promise<void> {
    this.#running++;
    try {
      const path = await this.#builder.make(
        kernels.map(({ source }) => source),
        this.#abort.signal,
      );
      for (const kernel of kernels) {
        kernel.entry = this.#entry(path, kernel.source.name);
        if (kernel.entry === 0) throw notLoaded(kernel.source.name, path, this.#library.loadError());
      }
      this.#running--;
      this.#onLoaded();
      this.#start();
    } catch (error) {
      this.#running--;
      this.#failure ??= error;
      this.#missing = [];
      this.#onLoaded(error);
    }
    if (this.#isIdle) for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  get #isIdle(): boolean {
    return this.#running === 0 && this.#missing.length === 0;
  }

  /** Kernels that were asked for. */
  get count(): number {
    return this.#byName.size;
  }

  /** Resolves when no compiler runs; rejects if one has failed. */
  async made(): Promise<void> {
    if (!this.#isIdle) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The address of a function in a library; 0 where it has none. */
  #entry(path: string, name: string): number {
    let library = this.#libraries.get(path) ?? 0;
    if (library === 0) {
      library = this.#library.load(path);
      this.#libraries.set(path, library);
    }
    return library === 0 ? 0 : this.#library.symbol(library, name);
  }
}
