import type { View } from '../devices/device.js';
import type { Source } from './autograd.js';
import { combine, fill } from './compute.js';
import { packed } from './shape.js';
import { type Release, Storage } from './storage.js';
import type { Tensor } from './tensor.js';

/** A tensor of a block, and where it begins there. */
interface Part {
  readonly tensor: Tensor;
  readonly start: number;
}

/**
 * Leaves that lie side by side in one memory, and their gradients in another in the same order: what is done to each of
 * them is one kernel over all.
 */
export class SideBySide {
  readonly parts: readonly Part[];
  readonly size: number;
  readonly #gradient: Storage;

  private constructor(tensors: readonly [Tensor, ...Tensor[]]) {
    let size = 0;
    this.parts = tensors.map((tensor) => {
      const start = size;
      size += tensor.size;
      return { tensor, start };
    });
    this.size = size;
    this.#gradient = knownGradient(this.parts, size) ?? this.#placeGradients(tensors[0].storage);
  }

  /**
   * Moves leaves into one memory in this order, but for those whose memory somebody else looks at, and gives the blocks
   * that they make. What lies side by side stays where it is.
   */
  static of(tensors: readonly Tensor[]): SideBySide[] {
    settle(tensors);
    const blocks: [Tensor, ...Tensor[]][] = [];
    for (const tensor of tensors) {
      const last = blocks.at(-1);
      const before = last?.at(-1);
      if (last !== undefined && before !== undefined && follows(tensor, before)) last.push(tensor);
      else blocks.push([tensor]);
    }
    return blocks.map((block) => new SideBySide(block));
  }

  #placeGradients({ tracker }: Storage): Storage {
    const storage = new Storage(tracker, 'float32', [this.size]);
    storage.keep();
    for (const { tensor, start } of this.parts) if (tensor.source !== undefined) place(tensor.source, storage, start);
    return storage;
  }

  /** All values. */
  values(): View {
    const { tensor } = this.parts[0] as Part;
    tensor.storage.touch();
    return { buffer: tensor.storage.buffer, ...packed([this.size], tensor.offset) };
  }

  /** All gradients; what a tensor without one has there is 0. */
  gradients(): View {
    this.#gradient.touch();
    const { buffer } = this.#gradient;
    for (const { tensor, start } of this.parts) {
      const { grad, shape, device } = tensor;
      if (grad?.storage === this.#gradient) continue;
      const window = { buffer, ...packed(shape, start) };
      if (grad === undefined) fill(device, window, 0);
      else combine(device, grad.strided(), window, undefined);
    }
    return { buffer, ...packed([this.size]) };
  }

  /** The longest stretches of tensors that have a gradient. */
  ranges(): { readonly start: number; readonly size: number }[] {
    const found: { start: number; size: number }[] = [];
    for (const { tensor, start } of this.parts) {
      if (tensor.grad === undefined) continue;
      const last = found.at(-1);
      if (last !== undefined && last.start + last.size === start) last.size += tensor.size;
      else found.push({ start, size: tensor.size });
    }
    return found;
  }

  /** Tells that the values have changed in place. */
  change(): void {
    for (const { tensor } of this.parts) tensor.storage.version++;
  }
}

const follows = (tensor: Tensor, before: Tensor): boolean =>
  tensor.storage === before.storage && tensor.offset === before.offset + before.size;

/** Moves leaves that nobody else looks at into one new storage, unless all lie side by side as they are. */
export function settle(tensors: readonly Tensor[]): void {
  if (tensors.every((tensor, i) => i === 0 || follows(tensor, tensors[i - 1] ?? tensor))) return;
  const held = new Map<Storage, number>();
  for (const { storage } of tensors) held.set(storage, (held.get(storage) ?? 0) + 1);
  const movable = tensors.filter(({ storage, source }) => storage.holders === held.get(storage) && source?.users === 0);
  const [first] = movable;
  if (first === undefined || movable.length === 1) return;
  const size = movable.reduce((sum, tensor) => sum + tensor.size, 0);
  const storage = new Storage(first.storage.tracker, 'float32', [size]);
  // Weights that are about to be loaded: to copy them would cost their memory and time for nothing.
  storage.awaitsValues = movable.every(({ storage: { awaitsValues, version } }) => awaitsValues && version === 0);
  let offset = 0;
  for (const tensor of movable) {
    const place = { buffer: storage.buffer, ...packed(tensor.shape, offset) };
    if (!storage.awaitsValues) combine(tensor.device, tensor.strided(), place, undefined);
    tensor.moveTo(storage, offset);
    offset += tensor.size;
  }
}

/** The memory that has the gradients in this order already, and no others. */
function knownGradient(parts: readonly Part[], size: number): Storage | undefined {
  const storage = parts[0]?.tensor.source?.place?.storage;
  const isInOrder = parts.every(({ tensor: { source }, start }) => {
    return source?.place?.storage === storage && source?.place?.offset === start;
  });
  return isInOrder && storage?.shape[0] === size ? storage : undefined;
}

/** Gives a leaf's gradient its place, and takes what there is of it along. */
function place(source: Source, storage: Storage, offset: number): void {
  const before = source.place;
  const view = { buffer: storage.buffer, ...packed(source.shape, offset) };
  if (source.gradient !== undefined && source.gradient.release === undefined) {
    const from = { buffer: source.gradient.buffer, ...packed(source.shape, source.gradientOffset) };
    combine(storage.tracker.device, from, view, undefined);
    if (before === undefined) source.gradient.free(moved);
    source.gradient = storage;
  }
  source.spare?.free(moved);
  source.spare = undefined;
  storage.hold();
  source.place = { storage, offset };
  before?.storage.letGo(moved);
}

const moved: Release = {
  by: 'an optimizer, which puts gradients side by side',
  remedy: 'Read grad of the parameter again.',
};
