import { SluiceError } from '../../base/errors.js';

/** What runtime.c offers; addresses and sizes are numbers of bytes, 0 is failure. */
export interface RuntimeLibrary {
  /** Of the vectors that kernels made with the same flags compute in. */
  vectorBytes(): number;
  load(path: string): number;
  symbol(library: number, name: string): number;
  loadError(): string;
  fileOf(symbol: number): string;
  answerOf(symbol: number): string;
  setEnvironment(name: string, value: string): void;
  firstProduct(sgemm: number): void;
  reserve(bytes: number): number;
  release(base: number, bytes: number): void;
  copyIn(to: number, from: ArrayBufferView, bytes: number): void;
  copyOut(to: ArrayBufferView, from: number, bytes: number): void;
  copyView(to: ArrayBufferView, from: number, shape: Float64Array, strides: Float64Array, rank: number): void;
  poolOpen(threads: number): number;
  poolThreads(pool: number): number;
  poolClose(pool: number): void;
  /** Queues work items; `words` are copied. */
  launch(
    pool: number,
    kernel: number,
    words: Float64Array,
    length: number,
    count: number,
    grain: number,
    scratchBytes: number,
  ): number;
  /** Waits for all that is queued. */
  finish(pool: number): void;
}

/** C's side of it: the result's type, then the parameters'. */
const signatures = {
  vectorBytes: ['int'],
  load: ['double', 'str'],
  symbol: ['double', 'double', 'str'],
  loadError: ['str'],
  fileOf: ['str', 'double'],
  answerOf: ['str', 'double'],
  setEnvironment: ['void', 'str', 'str'],
  firstProduct: ['void', 'double'],
  reserve: ['double', 'double'],
  release: ['void', 'double', 'double'],
  copyIn: ['void', 'double', 'const void *', 'double'],
  copyOut: ['void', 'void *', 'double', 'double'],
  copyView: ['void', 'void *', 'double', 'const double *', 'const double *', 'int'],
  poolOpen: ['double', 'int'],
  poolThreads: ['int', 'double'],
  poolClose: ['void', 'double'],
  launch: ['int', 'double', 'double', 'const double *', 'int', 'double', 'double', 'double'],
  finish: ['void', 'double'],
} as const satisfies Readonly<Record<keyof RuntimeLibrary, readonly [string, ...string[]]>>;

/** Handles that must outlive everything: unloading code that threads are in ends the process. */
const loaded = new Map<string, RuntimeLibrary>();
const handles: unknown[] = [];

/** Loads the library made of runtime.c. */
export async function loadRuntime(path: string): Promise<RuntimeLibrary> {
  const known = loaded.get(path);
  if (known !== undefined) return known;
  const { default: koffi } = await importKoffi();
  const handle = koffi.load(path);
  handles.push(handle);
  const functions = Object.entries(signatures).map(([name, [result, ...parameters]]) => [
    name,
    handle.func(`sluice_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`, result, parameters),
  ]);
  const library = Object.fromEntries(functions) as RuntimeLibrary;
  loaded.set(path, library);
  return library;
}

async function importKoffi() {
  try {
    return await import('koffi');
  } catch (cause) {
    throw new SluiceError('device', {
      rule: 'the native device calls C through the npm package koffi',
      received: cause instanceof Error ? cause.message : String(cause),
      remedy: 'Install it with "npm install koffi", or use device "wasm".',
      cause,
    });
  }
}
