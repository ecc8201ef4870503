import os from 'node:os';
import { SluiceError } from '../../base/errors.js';
import { closedError } from '../device.js';
import { MissingKernel } from '../fallback.js';
import { checkThreads, mostThreads } from '../threads.js';
import { NativeArena } from './arena.js';
import { loadBlas } from './blas.js';
import { Builder } from './builder.js';
import { type Blas, findBlas } from './find-blas.js';
import type { KernelSource } from './kernel-source.js';
import { KernelLoader, type LoadedKernel, type NativeKernel } from './kernels.js';
import { loadRuntime, type RuntimeLibrary } from './library.js';
import { TaskQueue } from './queue.js';

export { ArgumentWriter } from './arguments.js';
export type { KernelSource } from './kernel-source.js';
export type { NativeKernel } from './kernels.js';
export { addressOf } from './memory.js';

export interface NativeOptions {
  /** Threads that compute, the calling one included; by default one for each the machine runs at once. */
  readonly threads?: number;
  /** The same bits for any number of threads: products by our own kernels. */
  readonly deterministic?: boolean;
  /** Bound of the memory in bytes; by default what the machine has. */
  readonly maximumBytes?: number;
  /** Hears what a user should know, a line at a time. */
  readonly onNotice?: (line: string) => void;
  /** Computes nothing: the kernels that are asked for are made into a folder, for a kind of processor. */
  readonly bake?: BakeOptions;
}

export interface BakeOptions {
  readonly folder: string;
  /** As the compiler's -march names it. */
  readonly march: string;
}

/** What launchers need of the runtime. */
export interface Launcher {
  readonly threads: number;
  readonly deterministic: boolean;
  /** Of the vectors that its kernels compute in, which kernels made ahead may have narrower than the processor. */
  readonly vectorBytes: number;
  /** The kernel of this key, whose text is asked for the first time and compiled when first needed. */
  kernel(key: string, source: () => KernelSource): NativeKernel;
  /**
   * Queues work items 0 to `count` of a kernel, handed out to all threads in chunks of `grain`, in the order of the
   * calls. The words are used only during the call; `scratchBytes` belong to each thread.
   */
  launch(kernel: NativeKernel, words: Float64Array, count: number, grain: number, scratchBytes?: number): void;
  /** The address of memory shared by all threads, for whoever asked last; it only ever grows. */
  workspace(bytes: number): number;
  /** The BLAS that was found. */
  readonly blas: LoadedBlas | undefined;
}

export interface LoadedBlas {
  readonly name: string;
  /** The address of its cblas_sgemm, which computes on the calling thread. */
  readonly sgemm: number;
  /** Takes the words of `blasWords`. */
  readonly kernel: NativeKernel;
}

interface Parts {
  readonly library: RuntimeLibrary;
  readonly builder: Builder;
  readonly blas: LoadedBlas | undefined;
}

/** The memory, the kernels and the threads of one device. */
export class NativeRuntime implements Launcher {
  readonly deterministic: boolean;
  readonly arena: NativeArena;
  readonly library: RuntimeLibrary;
  readonly blas: LoadedBlas | undefined;
  /** What it is made of, in a line. */
  readonly description: string;
  /** Fewer than asked for where the system gives no more. */
  readonly threads: number;
  readonly vectorBytes: number;
  readonly #pool: number;
  readonly #queue = new TaskQueue();
  readonly #kernels: KernelLoader;
  /** Whether all kernels were made ahead. */
  readonly isFixed: boolean;
  #isDry: boolean;
  #workspace = { address: 0, bytes: 0 };
  #closed = false;

  private constructor({ library, builder, blas }: Parts, options: NativeOptions) {
    this.library = library;
    this.blas = blas;
    this.description = `${builder.description}, ${blas?.name ?? 'no BLAS'}`;
    this.deterministic = options.deterministic === true;
    this.isFixed = builder.isFixed;
    this.#isDry = options.bake !== undefined;
    this.arena = new NativeArena(library, options.maximumBytes);
    this.#pool = openPool(library, options.threads ?? Math.min(os.availableParallelism(), mostThreads));
    this.threads = library.poolThreads(this.#pool);
    this.vectorBytes = library.vectorBytes();
    this.#kernels = new KernelLoader(builder, library, (failure) => {
      if (failure === undefined) this.#queue.drain();
      else this.#queue.fail(failure);
    });
  }

  /** @throws SluiceError `device` where a part is missing, `argument` for a number of threads that it cannot be. */
  static async open(options: NativeOptions = {}): Promise<NativeRuntime> {
    const { bake, threads } = options;
    checkThreads(threads);
    const builder = await (bake === undefined ? Builder.open(options.onNotice) : Builder.bake(bake.folder, bake.march));
    const path = await builder.runtime();
    // The machine that it is made for may have no BLAS.
    const found = bake === undefined ? await findBlas(path, builder.folder) : undefined;
    const library = await loadRuntime(path);
    let blas = openBlas(library, path, found);
    if (found !== undefined && blas === undefined) {
      options.onNotice?.(`${found.path} was found before and does not load: looking for a BLAS anew.`);
      blas = openBlas(library, path, await findBlas(path, builder.folder, { anew: true }));
    }
    return new NativeRuntime({ library, builder, blas }, options);
  }

  kernel(key: string, source: () => KernelSource): LoadedKernel {
    return this.#kernels.kernel(key, source);
  }

  launch(kernel: NativeKernel, words: Float64Array, count: number, grain: number, scratchBytes = 0): void {
    this.requireOpen();
    if (!(Number.isSafeInteger(count) && count >= 0 && grain >= 1))
      throw new SluiceError('internal', {
        rule: 'a launch has a whole number of work items and a grain of at least 1',
        received: { count, grain },
      });
    if (count === 0 || this.#isDry) return;
    const loaded = kernel as LoadedKernel;
    if (this.#queue.isEmpty && loaded.entry !== 0) {
      this.#queue.requireWorking();
      this.#launch(loaded, words, count, grain, scratchBytes);
      return;
    }
    const kept = words.slice();
    this.#queue.push({
      get isReady() {
        return loaded.entry !== 0;
      },
      run: () => this.#launch(loaded, kept, count, grain, scratchBytes),
    });
  }

  #launch({ entry }: LoadedKernel, words: Float64Array, count: number, grain: number, scratchBytes: number): void {
    if (this.library.launch(this.#pool, entry, words, words.length, count, grain, scratchBytes) !== 0) return;
    throw new SluiceError('memory', {
      rule: 'each thread of the native device has its scratch memory',
      received: `${scratchBytes} bytes for each of ${this.threads}`,
      remedy: 'Use a smaller batch or context, or fewer threads.',
    });
  }

  /** Does something of the host's in its turn: now, when all work before is done, or after what waits for a compiler. */
  inTurn(run: () => void): void {
    this.requireOpen();
    this.#queue.requireWorking();
    const finishAndRun = (): void => {
      this.finish();
      run();
    };
    if (this.#queue.isEmpty) finishAndRun();
    else this.#queue.push({ isReady: true, run: finishAndRun });
  }

  /** The same with a result; where it throws, nothing after it is the worse for it. */
  inTurnAsync<T>(run: () => T): Promise<T> {
    this.requireOpen();
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        try {
          this.finish();
          resolve(run());
        } catch (error) {
          reject(error);
        }
      };
      this.#queue.push({ isReady: true, run: settle, abandon: reject });
    });
  }

  /** Whether nothing waits for a compiler: what is done in its turn is done at once. */
  get isIdle(): boolean {
    return this.#queue.isEmpty;
  }

  /** Waits for all that threads are at; what waits for a compiler goes on waiting. */
  finish(): void {
    this.library.finish(this.#pool);
  }

  /** Goes through work without computing anything. @throws SluiceError `device` for a kernel that is missing. */
  async rehearse(work: () => Promise<unknown>): Promise<void> {
    await this.settled();
    this.#isDry = true;
    try {
      await work();
    } catch (error) {
      // Of what was read nothing was computed: only a missing kernel says something of the work itself.
      if (error instanceof SluiceError && error.cause instanceof MissingKernel) throw error;
    } finally {
      this.#isDry = false;
    }
    await this.settled();
  }

  /** Resolves when all that was asked for is done. */
  async settled(): Promise<void> {
    await this.#queue.settled();
    this.finish();
  }

  /** Resolves when all kernels that were asked for are made; how many they are. */
  async made(): Promise<number> {
    await this.#kernels.made();
    return this.#kernels.count;
  }

  workspace(bytes: number): number {
    if (bytes > this.#workspace.bytes) {
      if (this.#workspace.address !== 0) this.arena.free(this.#workspace.address);
      this.#workspace = { address: 0, bytes: 0 };
      this.#workspace = { address: this.arena.allocate(bytes), bytes };
    }
    return this.#workspace.address;
  }

  /** @throws SluiceError `device` after close(). */
  requireOpen(): void {
    if (this.#closed) throw closedError('native');
  }

  /** Ends the threads and gives the memory back. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.fail(closedError('native'));
    this.#kernels.close();
    this.library.poolClose(this.#pool);
    this.arena.close();
  }
}

function openPool(library: RuntimeLibrary, threads: number): number {
  const pool = library.poolOpen(threads);
  if (pool !== 0) return pool;
  throw new SluiceError('device', {
    rule: 'the system must give the native device memory for its threads',
    received: threads,
    remedy: 'Use fewer threads, or device "wasm".',
  });
}

/** Undefined for one that was uninstalled since it was probed. */
function openBlas(library: RuntimeLibrary, runtimePath: string, found: Blas | undefined): LoadedBlas | undefined {
  if (found === undefined) return undefined;
  const { path, core, name } = found;
  const loaded = loadBlas(library, path, core);
  if ('problem' in loaded) return undefined;
  const source = { name: 'sluice_blas', code: '' };
  const kernel: LoadedKernel = { source, entry: library.symbol(library.load(runtimePath), source.name) };
  return { name, sgemm: loaded.sgemm, kernel };
}
