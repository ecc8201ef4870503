import { randomKey, randomUniform } from '../../../src/base/random.js';
import type { WasmRuntime } from '../../../src/devices/wasm/runtime.js';

/** A block of float32 in a runtime's memory, for tests. */
export interface Block {
  readonly pointer: number;
  readonly length: number;
}

export function allocate(runtime: WasmRuntime, length: number): Block {
  return { pointer: runtime.arena.allocate(4 * Math.max(1, length)), length };
}

/** Allocates a block of numbers in [-1, 1) that depend on the seed only. */
export function allocateRandom(runtime: WasmRuntime, length: number, seed: number): Block {
  const block = allocate(runtime, length);
  write(runtime, block, (index) => random(seed, index));
  return block;
}

export function random(seed: number, index: number): number {
  return pool[(seed * 1009 + index) % pool.length] ?? 0;
}

/** Drawing millions of numbers anew would take longer than what is tested. */
const pool = Array.from({ length: 8191 }, (_, index) => 2 * randomUniform(randomKey(1, 'noise'), index) - 1);

export function write(runtime: WasmRuntime, { pointer, length }: Block, value: (index: number) => number): void {
  const { f32 } = runtime.arena;
  for (let index = 0; index < length; index++) f32[pointer / 4 + index] = value(index);
}

/** A copy of a block's numbers. */
export function read(runtime: WasmRuntime, { pointer, length }: Block): Float32Array {
  return runtime.arena.f32.slice(pointer / 4, pointer / 4 + length);
}

export function free(runtime: WasmRuntime, ...blocks: readonly Block[]): void {
  for (const { pointer } of blocks) runtime.arena.free(pointer);
}

/** The largest difference between two arrays, NaN if any difference is. */
export function largestDifference(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0;
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs((got[index] ?? Number.NaN) - (expected[index] ?? Number.NaN));
    if (!(difference <= worst)) worst = difference;
  }
  return worst;
}
