import os from 'node:os';
import { SluiceError } from '../../base/errors.js';
import { type BlockStatistics, Blocks } from '../blocks.js';
import type { RuntimeLibrary } from './library.js';

/** The system's huge pages are of this size. */
const pageBytes = 2 ** 21;
const leastBytes = 2 ** 24;
const growthBytes = 2 ** 26;

/** Blocks outside of the JavaScript heap, by their addresses, in address space that is reserved once. */
export class NativeArena {
  readonly #library: RuntimeLibrary;
  readonly #blocks: Blocks;
  /** The most that it holds, in bytes. */
  readonly limit: number;
  readonly #base: number;

  /** `maximumBytes` bounds the memory; by default it is what this machine, or the container, has. */
  constructor(library: RuntimeLibrary, maximumBytes = machineBytes()) {
    this.#library = library;
    const { base, bytes } = reserve(library, Math.ceil(maximumBytes / pageBytes) * pageBytes);
    this.#base = base;
    this.limit = Math.min(bytes, maximumBytes);
    this.#blocks = new Blocks({
      grow: (needed) => this.#grow(needed),
      exhausted: (request, liveBytes) =>
        new SluiceError('memory', {
          rule: `the native device holds at most ${this.limit} bytes, and what the machine has free`,
          received: `a request for ${request} bytes with ${liveBytes} bytes in use`,
          remedy: 'Use a smaller batch or context, or free tensors that are no longer needed.',
        }),
    });
  }

  /** The address of a block of at least `bytes` bytes, aligned to 64, whose contents are whatever was there. */
  allocate(bytes: number): number {
    return this.#base + this.#blocks.allocate(bytes);
  }

  /** Gives a block back; its address is invalid from now on. */
  free(address: number): void {
    this.#blocks.free(address - this.#base);
  }

  statistics(): BlockStatistics {
    return this.#blocks.statistics();
  }

  close(): void {
    this.#library.release(this.#base, Math.ceil(this.limit / pageBytes) * pageBytes);
  }

  /** The system kills a process that touches pages it does not have: ask before they are touched. */
  #grow(needed: number): number | undefined {
    if (needed > this.limit) return undefined;
    const { reservedBytes } = this.#blocks.statistics();
    const wished = Math.min(this.limit, Math.max(needed, reservedBytes + Math.max(growthBytes, reservedBytes / 8)));
    return needed - reservedBytes > freeBytes() ? undefined : wished;
  }
}

const machineBytes = (): number => Math.min(os.totalmem(), process.constrainedMemory() || Infinity);

/** With the caches that the system gives up for it; of the container, where there is one. */
const freeBytes = (): number => process.availableMemory();

/** A bound on address space (`ulimit -v`, strict overcommit) refuses much: halve until it is had. */
function reserve(library: RuntimeLibrary, wanted: number): { base: number; bytes: number } {
  for (let bytes = wanted; bytes >= leastBytes; bytes = Math.floor(bytes / 2 / pageBytes) * pageBytes) {
    const base = library.reserve(bytes);
    if (base !== 0) return { base, bytes };
  }
  throw new SluiceError('device', {
    rule: `the system must give the native device ${leastBytes} bytes of address space`,
    remedy: 'Raise the limit ("ulimit -v unlimited"), or use device "wasm".',
  });
}
