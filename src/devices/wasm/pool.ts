import { SluiceError } from '../../base/errors.js';
import type { Arena } from './arena.js';
import type { Run } from './control.js';
import { at, controlWords, openBit, runChunks, word } from './control.js';
import type { WorkerHandle } from './platform.js';
import { startWorker } from './platform.js';

const spins = 5_000; // some 50 µs before the caller sleeps: a worker that lost its core may need the caller's

/** The calling thread and its workers; they share one memory and meet in its control block. */
export class ForkJoinPool {
  /** Threads that were to start: a worker's number is below it, also where one before it could not start. */
  readonly places: number;
  private readonly words: Int32Array;
  private readonly workers: readonly WorkerHandle[];
  private readonly mayWait: boolean;

  private constructor(words: Int32Array, places: number, workers: readonly WorkerHandle[]) {
    this.words = words;
    this.places = places;
    this.workers = workers;
    this.mayWait = waitAllowed();
  }

  /** Starts up to `threads - 1` workers; those that cannot start are left out. */
  static async create(arena: Arena, threads: number): Promise<ForkJoinPool> {
    const control = arena.allocate(4 * controlWords);
    const words = new Int32Array(arena.memory.buffer, control, controlWords); // low addresses: stays valid when memory grows
    words.fill(0);
    const starts: Promise<WorkerHandle>[] = [];
    for (let thread = 1; thread < threads; thread++)
      starts.push(startWorker({ memory: arena.memory, control, thread }));
    const results = await Promise.allSettled(starts);
    const workers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    return new ForkJoinPool(words, threads, workers);
  }

  /** Threads that take part in a launch, the caller included. */
  get threads(): number {
    return this.workers.length + 1;
  }

  setKernelTable(pointer: number): void {
    this.words[word.kernelTable] = pointer;
  }

  setScratch(pointer: number, stride: number): void {
    this.words[word.scratch] = pointer;
    this.words[word.scratchStride] = stride;
  }

  /** Runs work items 0 to `count` in chunks of `grain` on all threads; returns when all are done. */
  launch(kernel: number, run: Run, argumentBlock: number, count: number, grain: number): void {
    const { words } = this;
    words[word.kernel] = kernel;
    words[word.arguments] = argumentBlock;
    words[word.count] = count;
    words[word.grain] = grain;
    words[word.failed] = 0;
    Atomics.store(words, word.next, 0);
    Atomics.store(words, word.state, openBit);
    Atomics.add(words, word.generation, 1);
    if (Atomics.load(words, word.sleepers) > 0) Atomics.notify(words, word.generation, Math.ceil(count / grain) - 1);
    try {
      runChunks(words, run, 0);
    } catch (error) {
      Atomics.store(words, word.next, count);
      throw error;
    } finally {
      Atomics.and(words, word.state, ~openBit);
      this.awaitWorkers();
    }
    this.throwFailure();
  }

  /** Ends the workers; the pool is of no use afterwards. */
  async close(): Promise<void> {
    Atomics.store(this.words, word.stop, 1);
    Atomics.add(this.words, word.generation, 1);
    Atomics.notify(this.words, word.generation);
    await Promise.all(this.workers.map((worker) => worker.stop()));
  }

  private awaitWorkers(): void {
    const { words } = this;
    for (let turn = 0; turn < spins || !this.mayWait; turn++) if (Atomics.load(words, word.state) === 0) return;
    for (;;) {
      const state = Atomics.load(words, word.state);
      if (state === 0) return;
      Atomics.wait(words, word.state, state);
    }
  }

  private throwFailure(): void {
    const { words } = this;
    if (Atomics.load(words, word.failed) === 0) return;
    const begin = word.failureText;
    const text = String.fromCodePoint(...words.subarray(begin, begin + at(words, word.failureLength)));
    throw new SluiceError('internal', { rule: 'a kernel runs to its end in every worker thread', received: text });
  }
}

/** The main thread of a page must not sleep. */
function waitAllowed(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}
