import { SluiceError } from '../../base/errors.js';
import type { MapKernel } from '../../kernels/kernel.js';
import { exponentials } from '../../scalar/lower.js';
import type { View } from '../device.js';
import { slotOf, slotsKey, spreadOf, Variants } from '../variants.js';
import { mapSource } from './map-source.js';
import { addressOf } from './memory.js';
import { ArgumentWriter, type Launcher, type NativeKernel } from './runtime.js';

/** Elements that one turn of a thread takes: enough to hide its cost, few enough to share the work. */
const elementsPerChunk = 16_384;
const fewestElements = 1024; // whole turns of vectors
const fewExponentials = 2;

const chunks = new WeakMap<MapKernel, number>();

/** Fewer for a kernel that computes long on each, as those of recurrent cells do. */
function chunkOf(kernel: MapKernel): number {
  const known = chunks.get(kernel);
  if (known !== undefined) return known;
  const share = elementsPerChunk / Math.max(1, 2 * (exponentials(kernel.outputs) - fewExponentials));
  const chunk = Math.ceil(share / fewestElements) * fewestElements;
  chunks.set(kernel, chunk);
  return chunk;
}

/** Runs map kernels: one text for each kernel and layout. */
export class MapLauncher {
  readonly #launcher: Launcher;
  readonly #kernels = new Variants<MapKernel, NativeKernel>();
  readonly #arguments = new ArgumentWriter();

  constructor(launcher: Launcher) {
    this.#launcher = launcher;
  }

  /** The views have equal shapes, with axes collapsed so that few are left. */
  run(kernel: MapKernel, inputs: readonly View[], scalars: readonly number[], outputs: readonly View[]): void {
    const views = [...inputs, ...outputs];
    const shape = outputs[0]?.shape ?? [];
    const length = shape.at(-1);
    if (length === undefined) throw new SluiceError('internal', { rule: 'a map runs over at least one axis' });
    const args = this.#arguments.start().number(length);
    let count = length;
    for (let axis = 0; axis < shape.length - 1; axis++) {
      const size = shape[axis] ?? 1;
      count *= size;
      args.number(size);
    }
    for (const view of views) {
      args.address(view);
      for (const stride of view.strides) args.number(stride);
    }
    for (const scalar of scalars) args.number(scalar);
    this.#launcher.launch(this.#find(kernel, views), args.words, count, chunkOf(kernel));
  }

  #find(kernel: MapKernel, views: readonly View[]): NativeKernel {
    const [outer, vectors] = turnsOf(views);
    const streams = streamsOf(views, kernel.inputs.length);
    return this.#kernels.find(kernel, `${outer} ${vectors} ${streams} ${slotsKey(views)}`, () => {
      const slots = views.map((view, i) => ({ ...slotOf(view), isStreamed: (streams & (2 ** i)) !== 0 }));
      const source = mapSource(kernel, { outer, vectors, slots });
      return this.#launcher.kernel(source.name, () => source);
    });
  }
}

/** Bytes of an output that no cache holds until it is read: half of a common last one. */
const streamedBytes = 2 ** 24;
const lineBytes = 64;

/** A bit for each output that goes past the caches: not one whose lines they have since it is an input, too. */
function streamsOf(views: readonly View[], inputs: number): number {
  let bits = 0;
  for (let i = inputs; i < views.length; i++) {
    const view = views[i];
    if (view === undefined || view.shape.length !== 1 || 4 * (view.shape[0] ?? 0) < streamedBytes) continue;
    const isInPlace = views.some(({ buffer }, k) => k < inputs && buffer === view.buffer);
    const isAligned = addressOf(view) % lineBytes === 0 && spreadOf(view) === 'contiguous';
    if (isAligned && !isInPlace && view.buffer.type === 'float32') bits += 2 ** i;
  }
  return bits;
}

/** Rows that a turn of four vectors leaves much of; a vector has 16 elements at most. */
const isShort = (length: number): boolean => length < 512 && length % 64 !== 0;

/** The outer axes, and the vectors of a turn; rows that lie side by side in all operands are computed together. */
function turnsOf(views: readonly View[]): readonly [number, 1 | 4] {
  const shape = views[0]?.shape ?? [];
  const isApart = shape.length > 1 && views.some((view) => spreadOf(view) !== 'contiguous');
  return [shape.length - 1, isApart && isShort(shape.at(-1) ?? 1) ? 1 : 4];
}
