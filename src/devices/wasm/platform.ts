import type { Worker as NodeWorker } from 'node:worker_threads';
import type { WasmMemory } from './arena.js';

/** One started worker, whatever the platform. */
export interface WorkerHandle {
  /** Ends it; resolves when it is gone. */
  stop(): Promise<void>;
}

/** What a worker is told when it starts: where the shared memory is and which thread it is. */
export interface WorkerStart {
  readonly memory: WasmMemory;
  readonly control: number;
  readonly thread: number;
}

const startLimit = 10_000; // milliseconds; past it a silent worker counts as one that cannot start

/** Node's built-in modules without an import that bundlers for pages would trip over; undefined outside Node. */
export function nodeModules() {
  const builtin = globalThis.process?.getBuiltinModule;
  if (typeof builtin !== 'function') return undefined;
  return {
    os: builtin('node:os'),
    v8: builtin('node:v8'),
    workers: builtin('node:worker_threads'),
  };
}

/** The major version of V8 where it can be asked, as in Node; undefined in pages. */
export function v8Version(): number | undefined {
  const version = globalThis.process?.versions?.v8;
  return version === undefined ? undefined : Number.parseInt(version, 10);
}

/** How many threads the machine runs at once. */
export function hardwareThreads(): number {
  const node = nodeModules();
  if (node !== undefined) return node.os.availableParallelism();
  return typeof navigator === 'undefined' ? 1 : Math.max(1, navigator.hardwareConcurrency ?? 1);
}

/** Starts `worker.js`; resolves when it serves, rejects when it cannot. The worker never keeps a Node process alive. */
export async function startWorker(start: WorkerStart): Promise<WorkerHandle> {
  const node = nodeModules();
  return node === undefined ? startPageWorker(start) : startNodeWorker(node.workers.Worker, start);
}

async function startNodeWorker(Worker: typeof NodeWorker, start: WorkerStart): Promise<WorkerHandle> {
  // Only tests run the sources themselves; a worker needs JavaScript, which is then the built file.
  const built = import.meta.url.endsWith('.ts') ? '../../../dist/devices/wasm/worker.js' : './worker.js';
  const worker = new Worker(new URL(built, import.meta.url), { execArgv: [] });
  const stop = async () => {
    await worker.terminate();
  };
  try {
    await whenReady((ready, failed) => {
      worker.once('message', ready);
      worker.once('error', failed);
      worker.once('exit', (code) => failed(new Error(`the worker ended with code ${code}`)));
      worker.postMessage(start);
    });
  } catch (error) {
    await stop();
    throw error;
  }
  worker.on('error', () => {}); // an unheard 'error' would end the process
  worker.unref();
  return { stop };
}

async function startPageWorker(start: WorkerStart): Promise<WorkerHandle> {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { type: 'module' });
  try {
    await whenReady((ready, failed) => {
      worker.onmessage = ready;
      worker.onerror = (event) => failed(new Error(event.message));
      worker.postMessage(start);
    });
  } catch (error) {
    worker.terminate();
    throw error;
  }
  return { stop: async () => worker.terminate() };
}

async function whenReady(listen: (ready: () => void, failed: (error: Error) => void) => void): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`the worker was silent for ${startLimit} ms`)), startLimit);
      listen(resolve, reject);
    });
  } finally {
    clearTimeout(timer);
  }
}
