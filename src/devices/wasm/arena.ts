import { SluiceError } from '../../base/errors.js';
import type { MemoryType } from './assembler.js';

const pageBytes = 65_536;
const alignment = 64;
/** One page short of 4 GiB, so that the address after the last byte is still a 32-bit number. */
const mostPages = 65_535;
const growthBytes = 16 * 1024 * 1024;

/** A WebAssembly memory, for programs whose types know neither a page nor WebAssembly. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}

export interface ArenaStatistics {
  /** Bytes in blocks that are in use. */
  readonly liveBytes: number;
  /** The most that `liveBytes` has been. */
  readonly peakBytes: number;
  /** Size of the WebAssembly memory. */
  readonly reservedBytes: number;
}

/**
 * Blocks of one WebAssembly memory, aligned to 64 bytes. A freed block is kept under its size and given to the next
 * request of that size, so that a loop which repeats its requests neither searches nor grows anything.
 */
export class Arena {
  readonly memory: WasmMemory;
  readonly memoryType: MemoryType;
  /** By address, 0 for what is free: a map that forgets and learns all the time leaves old tables to be collected. */
  private readonly sizes = new Map<number, number>();
  private readonly bins = new Map<number, number[]>();
  private top = alignment; // address 0 is never given out
  private binned = 0;
  private liveBytes = 0;
  private peakBytes = 0;
  private reservedBytes: number;
  private views: { f32: Float32Array; i32: Int32Array; u8: Uint8Array };

  /** `maximumBytes` bounds the memory; by default it is 4 GiB, or less where the engine refuses so much. */
  constructor(options: { readonly shared: boolean; readonly maximumBytes?: number }) {
    const limit = Math.ceil((options.maximumBytes ?? mostPages * pageBytes) / pageBytes);
    const { memory, maximumPages } = createMemory(options.shared, Math.max(1, Math.min(mostPages, limit)));
    this.memory = memory;
    this.memoryType = { shared: options.shared, minimumPages: 1, maximumPages };
    this.reservedBytes = memory.buffer.byteLength;
    this.views = viewsOf(memory);
  }

  /** The memory as float32; taken anew after the memory has grown, so do not keep it. */
  get f32(): Float32Array {
    return this.views.f32;
  }

  /** The memory as 32-bit integers; do not keep it. */
  get i32(): Int32Array {
    return this.views.i32;
  }

  /** The memory as bytes; do not keep it. */
  get u8(): Uint8Array {
    return this.views.u8;
  }

  /** The address of a block of at least `bytes` bytes, whose contents are whatever was there. */
  allocate(bytes: number): number {
    if (!Number.isSafeInteger(bytes) || bytes < 0)
      throw new SluiceError('memory', {
        rule: 'a block has a whole number of bytes',
        received: bytes,
        remedy: 'Use a smaller batch or context, or split the tensor.',
      });
    const size = Math.max(alignment, Math.ceil(bytes / alignment) * alignment);
    const pointer = this.takeBinned(size) ?? this.takeTop(size) ?? this.takeMerged(size) ?? this.grow(size);
    this.sizes.set(pointer, size);
    this.liveBytes += size;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
    return pointer;
  }

  /** Gives a block back; its address is invalid from now on. */
  free(pointer: number): void {
    const size = this.sizes.get(pointer) ?? 0;
    if (size === 0)
      throw new SluiceError('internal', {
        rule: 'a block is freed once, by the address it was given',
        received: pointer,
      });
    this.sizes.set(pointer, 0);
    this.liveBytes -= size;
    this.bin(pointer, size);
  }

  statistics(): ArenaStatistics {
    return { liveBytes: this.liveBytes, peakBytes: this.peakBytes, reservedBytes: this.reservedBytes };
  }

  private bin(pointer: number, size: number): void {
    const bin = this.bins.get(size);
    if (bin === undefined) this.bins.set(size, [pointer]);
    else bin.push(pointer);
    this.binned += size;
  }

  private takeBinned(size: number): number | undefined {
    const pointer = this.bins.get(size)?.pop();
    if (pointer !== undefined) this.binned -= size;
    return pointer;
  }

  private takeTop(size: number): number | undefined {
    if (this.top + size > this.reservedBytes) return undefined;
    const pointer = this.top;
    this.top += size;
    return pointer;
  }

  /** Joins neighbouring free blocks, lowers the top, and cuts the request from the smallest block that holds it. */
  private takeMerged(size: number): number | undefined {
    if (this.binned < size) return undefined;
    const blocks = [...this.bins].flatMap(([length, pointers]) => pointers.map((start) => ({ start, length })));
    blocks.sort((left, right) => left.start - right.start);
    const merged: { start: number; length: number }[] = [];
    for (const block of blocks) {
      const last = merged.at(-1);
      if (last !== undefined && last.start + last.length === block.start) last.length += block.length;
      else merged.push({ ...block });
    }
    const last = merged.at(-1);
    if (last !== undefined && last.start + last.length === this.top) {
      this.top = last.start;
      merged.pop();
    }
    this.bins.clear();
    this.binned = 0;
    for (const { start } of blocks) this.sizes.delete(start);
    let best: { start: number; length: number } | undefined;
    for (const block of merged) if (block.length >= size && block.length < (best?.length ?? Infinity)) best = block;
    for (const block of merged) if (block !== best) this.bin(block.start, block.length);
    if (best === undefined) return this.takeTop(size);
    if (best.length > size) this.bin(best.start + size, best.length - size);
    return best.start;
  }

  private grow(size: number): number {
    const reserved = this.reservedBytes;
    const needed = Math.ceil((this.top + size - reserved) / pageBytes);
    const room = this.memoryType.maximumPages - reserved / pageBytes;
    const wished = Math.ceil(Math.max(growthBytes, reserved / 8) / pageBytes);
    const pointer = this.top;
    if (needed > room || !(this.grown(Math.min(room, Math.max(needed, wished))) || this.grown(needed)))
      throw new SluiceError('memory', {
        rule: `the wasm device holds at most ${this.memoryType.maximumPages * pageBytes} bytes, or what the engine gives`,
        received: `a request for ${size} bytes with ${this.liveBytes} bytes in use`,
        remedy: 'Use a smaller batch or context, or free tensors that are no longer needed.',
      });
    this.top += size;
    return pointer;
  }

  private grown(pages: number): boolean {
    try {
      this.memory.grow(pages);
    } catch {
      return false;
    }
    this.reservedBytes = this.memory.buffer.byteLength;
    this.views = viewsOf(this.memory);
    return true;
  }
}

function viewsOf({ buffer }: WasmMemory) {
  return { f32: new Float32Array(buffer), i32: new Int32Array(buffer), u8: new Uint8Array(buffer) };
}

/** Phones and 32-bit engines refuse to reserve 4 GiB: halve until they agree. */
function createMemory(shared: boolean, mostAllowed: number): { memory: WasmMemory; maximumPages: number } {
  for (let maximumPages = mostAllowed; ; maximumPages = Math.floor(maximumPages / 2)) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 1, maximum: maximumPages, shared }), maximumPages };
    } catch (cause) {
      if (maximumPages > 256) continue;
      throw new SluiceError('memory', {
        rule: 'the engine must give the wasm device a memory of 16 MiB',
        remedy: 'Close other pages or programs, or use device "reference".',
        cause,
      });
    }
  }
}
