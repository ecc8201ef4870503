import { SluiceError } from '../base/errors.js';

/** In bytes: a cache line, and the widest vector. */
const alignment = 64;

/** Where blocks lie: one piece of memory that grows at its end. */
export interface Ground {
  /** Makes the memory at least `bytes` long; says how long it is now, or that there is no more. */
  grow(bytes: number): number | undefined;
  /** What cannot be had. */
  exhausted(request: number, liveBytes: number): SluiceError;
}

export interface BlockStatistics {
  /** Bytes in blocks that are in use. */
  readonly liveBytes: number;
  /** The most that `liveBytes` has been. */
  readonly peakBytes: number;
  /** Size of the memory. */
  readonly reservedBytes: number;
}

/**
 * Blocks of one memory, aligned to 64 bytes, by their offsets. A freed block is kept under its size and given to the
 * next request of that size, so that a loop which repeats its requests neither searches nor grows anything.
 */
export class Blocks {
  readonly #ground: Ground;
  /** By offset, 0 for what is free: a map that forgets and learns all the time leaves old tables to be collected. */
  readonly #sizes = new Map<number, number>();
  readonly #bins = new Map<number, number[]>();
  #top = alignment; // offset 0 is never given out
  #binned = 0;
  #liveBytes = 0;
  #peakBytes = 0;
  #reservedBytes: number;

  constructor(ground: Ground, reservedBytes = 0) {
    this.#ground = ground;
    this.#reservedBytes = reservedBytes;
  }

  /** The offset of a block of at least `bytes` bytes, whose contents are whatever was there. */
  allocate(bytes: number): number {
    if (!Number.isSafeInteger(bytes) || bytes < 0)
      throw new SluiceError('memory', {
        rule: 'a block has a whole number of bytes',
        received: bytes,
        remedy: 'Use a smaller batch or context, or split the tensor.',
      });
    const size = Math.max(alignment, Math.ceil(bytes / alignment) * alignment);
    const offset = this.#takeBinned(size) ?? this.#takeTop(size) ?? this.#takeMerged(size) ?? this.#grow(size);
    this.#sizes.set(offset, size);
    this.#liveBytes += size;
    this.#peakBytes = Math.max(this.#peakBytes, this.#liveBytes);
    return offset;
  }

  /** Gives a block back; its offset is invalid from now on. */
  free(offset: number): void {
    const size = this.#sizes.get(offset) ?? 0;
    if (size === 0)
      throw new SluiceError('internal', {
        rule: 'a block is freed once, by the address it was given',
        received: offset,
      });
    this.#sizes.set(offset, 0);
    this.#liveBytes -= size;
    this.#bin(offset, size);
  }

  statistics(): BlockStatistics {
    return { liveBytes: this.#liveBytes, peakBytes: this.#peakBytes, reservedBytes: this.#reservedBytes };
  }

  #bin(offset: number, size: number): void {
    const bin = this.#bins.get(size);
    if (bin === undefined) this.#bins.set(size, [offset]);
    else bin.push(offset);
    this.#binned += size;
  }

  #takeBinned(size: number): number | undefined {
    const offset = this.#bins.get(size)?.pop();
    if (offset !== undefined) this.#binned -= size;
    return offset;
  }

  #takeTop(size: number): number | undefined {
    if (this.#top + size > this.#reservedBytes) return undefined;
    const offset = this.#top;
    this.#top += size;
    return offset;
  }

  /** Joins neighbouring free blocks, lowers the top, and cuts the request from the smallest block that holds it. */
  #takeMerged(size: number): number | undefined {
    if (this.#binned < size) return undefined;
    const blocks = [...this.#bins].flatMap(([length, offsets]) => offsets.map((start) => ({ start, length })));
    blocks.sort((left, right) => left.start - right.start);
    const merged: { start: number; length: number }[] = [];
    for (const block of blocks) {
      const last = merged.at(-1);
      if (last !== undefined && last.start + last.length === block.start) last.length += block.length;
      else merged.push({ ...block });
    }
    const last = merged.at(-1);
    if (last !== undefined && last.start + last.length === this.#top) {
      this.#top = last.start;
      merged.pop();
    }
    this.#bins.clear();
    this.#binned = 0;
    for (const { start } of blocks) this.#sizes.delete(start);
    let best: { start: number; length: number } | undefined;
    for (const block of merged) if (block.length >= size && block.length < (best?.length ?? Infinity)) best = block;
    for (const block of merged) if (block !== best) this.#bin(block.start, block.length);
    if (best === undefined) return this.#takeTop(size);
    if (best.length > size) this.#bin(best.start + size, best.length - size);
    return best.start;
  }

  #grow(size: number): number {
    const offset = this.#top;
    const reserved = this.#ground.grow(offset + size);
    if (reserved === undefined) throw this.#ground.exhausted(size, this.#liveBytes);
    this.#reservedBytes = reserved;
    this.#top += size;
    return offset;
  }
}
