import type { WasmMemory } from './arena.js';

/**
 * The control block: 32-bit words in shared memory through which the calling thread hands work to the workers.
 * Words that different threads write stand in different cache lines.
 */
export const word = {
  /** Raised with every launch; idle workers wait on it. */
  generation: 0,
  /** Workers asleep on `generation`. */
  sleepers: 32,
  /** `openBit` while the launch takes helpers, plus the number of workers inside; the caller waits on it. */
  state: 64,
  /** The next work item to be handed out. */
  next: 96,
  stop: 128,
  kernel: 129,
  arguments: 130,
  count: 131,
  grain: 132,
  /** Thread t's scratch is at scratch + t * scratchStride. */
  scratch: 133,
  scratchStride: 134,
  /** Address of pairs (address, length) of the kernels' modules. */
  kernelTable: 135,
  /** 1 when a worker failed; the text follows. */
  failed: 136,
  failureLength: 137,
  failureText: 138,
} as const;

export const openBit = 1 << 16;
export const failureWords = 118;
/** Size of the control block in words. */
export const controlWords = word.failureText + failureWords;

/** A kernel: works on items `begin` to `end`; `argumentBlock` and `scratch` are addresses. */
export type Run = (argumentBlock: number, begin: number, end: number, scratch: number) => void;

/** Takes chunks of the open launch until none is left. */
export function runChunks(words: Int32Array, run: Run, thread: number): void {
  const count = at(words, word.count);
  const grain = at(words, word.grain);
  const argumentBlock = at(words, word.arguments);
  const scratch = at(words, word.scratch) + thread * at(words, word.scratchStride);
  for (;;) {
    const begin = Atomics.add(words, word.next, grain);
    if (begin >= count) return;
    run(argumentBlock, begin, Math.min(begin + grain, count), scratch);
  }
}

/** Compiles a module over `memory` and returns its `run`. */
export function instantiate(bytes: Uint8Array<ArrayBuffer>, memory: WasmMemory): Run {
  const imports = { env: { memory: memory as WebAssembly.Memory } };
  const instance = new WebAssembly.Instance(new WebAssembly.Module(bytes), imports);
  return (instance.exports as { run: Run }).run;
}

/** A word that exists, as a number. */
export function at(words: Int32Array, index: number): number {
  return words[index] as number;
}
