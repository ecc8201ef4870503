import { SluiceError } from '../../base/errors.js';

/** What runtime.c offers; addresses and sizes are numbers of bytes, 0 is failure. */
export interface RuntimeLibrary {
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

/**
 * Loads the library made of runtime.c.
 * @throws SluiceError `device` where it does not load, or koffi does not.
 */
export async function loadRuntime(path: string): Promise<RuntimeLibrary> {
  const known = loaded.get(path);
  if (known !== undefined) return known;
  const { default: koffi } = await importKoffi();
  const handle = openLibrary(path, koffi);
  handles.push(handle);
  const functions = Object.entries(signatures).map(([name, [result, ...parameters]]) => [
    name,
    handle.func(`sluice_${name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)}`, result, parameters),
  ]);
  const library = Object.fromEntries(functions) as RuntimeLibrary;
  loaded.set(path, library);
  return library;
}

function openLibrary(path: string, koffi: typeof import('koffi').default): ReturnType<typeof koffi.load> {
  try {
    return koffi.load(path);
  } catch (cause) {
    throw notLoaded('the runtime', path, cause instanceof Error ? cause.message : String(cause));
  }
}

/** @throws SluiceError `device` where koffi is missing, or does not load here. */
export async function importKoffi() {
  try {
    return await import('koffi');
  } catch (cause) {
    throw koffiError(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/** What to do about koffi, by what is said of it. */
export function koffiError(received: string, cause?: unknown): SluiceError {
  const isMissing = /Cannot find (package|module) '?koffi/.test(received);
  return new SluiceError('device', {
    rule: `the native device calls C through the npm package koffi${isMissing ? '' : ', whose library loads here'}`,
    received,
    remedy: isMissing
      ? 'Install it with "npm install koffi", or use device "wasm".'
      : 'Install it anew on this machine ("npm install --force koffi"), or use device "wasm".',
    cause,
  });
}

/** Of a library that was compiled; `what` it is, and what the system says. */
export const notLoaded = (what: string, path: string, received: unknown): SluiceError =>
  new SluiceError('device', {
    rule: `${what}, which was compiled, loads from ${path}`,
    received,
    remedy: 'Where its folder may hold no code (noexec), set XDG_CACHE_HOME to one that may, or use device "wasm".',
  });
