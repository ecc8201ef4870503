import { SluiceError } from '../../base/errors.js';
import { type BlockStatistics, Blocks } from '../blocks.js';
import type { MemoryType } from './assembler.js';

const pageBytes = 65_536;
/** One page short of 4 GiB, so that the address after the last byte is still a 32-bit number. */
const mostPages = 65_535;
const growthBytes = 16 * 1024 * 1024;

/** A WebAssembly memory, for programs whose types know neither a page nor WebAssembly. */
export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}

/** Blocks of one WebAssembly memory, by their addresses. */
export class Arena {
  readonly memory: WasmMemory;
  readonly memoryType: MemoryType;
  /** The most that it holds, in bytes. */
  readonly limit: number;
  private readonly blocks: Blocks;
  private views: { f32: Float32Array; i32: Int32Array; u8: Uint8Array };

  /** `maximumBytes` bounds the memory; by default it is 4 GiB, or less where the engine refuses so much. */
  constructor(options: { readonly shared: boolean; readonly maximumBytes?: number }) {
    const limit = Math.ceil((options.maximumBytes ?? mostPages * pageBytes) / pageBytes);
    const { memory, maximumPages } = createMemory(options.shared, Math.max(1, Math.min(mostPages, limit)));
    this.memory = memory;
    this.limit = maximumPages * pageBytes;
    this.memoryType = { shared: options.shared, minimumPages: 1, maximumPages };
    this.blocks = new Blocks(
      {
        grow: (bytes) => this.grow(bytes),
        exhausted: (request, liveBytes) =>
          new SluiceError('memory', {
            rule: `the wasm device holds at most ${this.limit} bytes, or what the engine gives`,
            received: `a request for ${request} bytes with ${liveBytes} bytes in use`,
            remedy: 'Use a smaller batch or context, or free tensors that are no longer needed.',
          }),
      },
      memory.buffer.byteLength,
    );
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
    return this.blocks.allocate(bytes);
  }

  /** Gives a block back; its address is invalid from now on. */
  free(pointer: number): void {
    this.blocks.free(pointer);
  }

  statistics(): BlockStatistics {
    return this.blocks.statistics();
  }

  /** At least `bytes` in all, more at a time while there is room, so that the engine is asked seldom. */
  private grow(bytes: number): number | undefined {
    const reserved = this.memory.buffer.byteLength;
    const needed = Math.ceil((bytes - reserved) / pageBytes);
    const room = this.memoryType.maximumPages - reserved / pageBytes;
    const wished = Math.ceil(Math.max(growthBytes, reserved / 8) / pageBytes);
    if (needed > room) return undefined;
    if (!(this.grown(Math.min(room, Math.max(needed, wished))) || this.grown(needed))) return undefined;
    return this.memory.buffer.byteLength;
  }

  private grown(pages: number): boolean {
    try {
      this.memory.grow(pages);
    } catch {
      return false;
    }
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
      throw new SluiceError('device', {
        rule: 'the engine must give the wasm device a memory of 16 MiB',
        remedy: 'Close other pages or programs, or use device "reference".',
        cause,
      });
    }
  }
}
