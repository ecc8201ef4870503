import type { View } from '../devices/device.js';
import type { Cotangent, Source } from './autograd.js';
import { combine, fill, sumInto } from './compute.js';
import { areDisjoint, dropAxes, isPacked, type Layout, packed, repeats, sizeOf } from './shape.js';
import { type Release, Storage, type Tracker } from './storage.js';

/** An input that wants a gradient: its source, and the input as a window on the source's storage. */
export interface Differentiable {
  readonly source: Source;
  readonly layout: Layout;
  /** The storage that the layout is a window of, where the node holds it and the kernel reads there nothing but inputs. */
  readonly values?: Storage | undefined;
}

/** Where a kernel writes the gradient of an input; both views have the input's shape. */
export interface Target {
  readonly output: View;
  /** What the kernel adds to it, if there is a sum already; may be `output` itself. */
  readonly previous: View | undefined;
}

export interface TargetOptions {
  /**
   * What the kernel does with a sum so far: `adds` it from `previous`, `accumulates` onto it in place (`previous`,
   * if given, is then `output`), or `overwrites` (there is never a `previous`).
   */
  readonly mode: 'adds' | 'accumulates' | 'overwrites';
  /** Whether the kernel can write to such a layout; else it gets a packed buffer, which is added afterwards. */
  readonly fits?: (layout: Layout, input: Differentiable) => boolean;
  /** A storage of the outputs' gradient that may be overwritten when nobody else holds it. */
  readonly reusable?: Storage | undefined;
  /** Whether gradients may take the memory of the inputs' values, place by place: the kernel is the last to read them. */
  readonly overwrites?: boolean;
}

const release: Release = { by: 'backward()', remedy: 'Read gradients of leaves, after backward().' };

function allocateGradient(tracker: Tracker, source: Source): Storage {
  if (source.place !== undefined) {
    source.place.storage.touch();
    return source.place.storage;
  }
  if (source.spare !== undefined && source.spare.release === undefined) {
    const { spare } = source;
    source.spare = undefined;
    spare.touch();
    return spare;
  }
  const storage = new Storage(tracker, 'float32', source.shape);
  storage.hold();
  if (source.leaf?.kept === true) storage.keep();
  return storage;
}

/** The buffer that a kernel writes, and the one whose contents it adds. */
interface OpenSlot {
  readonly storage: Storage;
  readonly previous: Storage | undefined;
}

const over = ({ buffer }: Storage, { shape, strides, offset }: Layout): View => ({ buffer, shape, strides, offset });

const whole = (storage: Storage, source: Source): View => ({
  buffer: storage.buffer,
  ...packed(source.shape, source.gradientOffset),
});

/** The window of an input on its source's gradient. */
const windowOf = ({ source, layout: { shape, strides, offset } }: Differentiable): Layout => ({
  shape,
  strides,
  offset: offset - source.offset + source.gradientOffset,
});

const coversInOrder = ({ source, layout }: Differentiable): boolean =>
  layout.offset === source.offset && isPacked(layout) && sizeOf(layout.shape) === sizeOf(source.shape);

/** The current gradient of a source, forgotten where its memory was given back by a step. */
function currentGradient(source: Source): Storage | undefined {
  if (source.gradient?.release !== undefined) source.gradient = undefined;
  source.gradient?.touch();
  return source.gradient;
}

/**
 * The windows that one kernel writes the gradients of its inputs to. They open directly on the sources' gradients
 * where they can: parts of one source go into one buffer, without copies. Call `close` when the kernel is queued.
 */
export class Targets {
  readonly all: readonly Target[];
  readonly #tracker: Tracker;
  readonly #inputs: readonly Differentiable[];
  readonly #deferred: { readonly input: Differentiable; readonly storage: Storage }[] = [];
  readonly #replaced: Storage[] = [];

  constructor(tracker: Tracker, inputs: readonly Differentiable[], options: TargetOptions) {
    this.#tracker = tracker;
    this.#inputs = inputs;
    const direct: Differentiable[] = [];
    for (const input of inputs) if (this.#isDirect(input, direct, options)) direct.push(input);
    const opened: { readonly source: Source; readonly slot: OpenSlot }[] = [];
    this.all = inputs.map((input) => {
      const { source } = input;
      if (!direct.includes(input)) return this.#defer(input);
      let slot = opened.find((one) => one.source === source)?.slot;
      if (slot === undefined) {
        const group = direct.length === 1 ? direct : direct.filter((other) => other.source === source);
        slot = this.#open(source, group, options);
        opened.push({ source, slot });
      }
      const window = windowOf(input);
      const output = over(slot.storage, window);
      if (slot.previous === slot.storage) return { output, previous: output };
      return { output, previous: slot.previous === undefined ? undefined : over(slot.previous, window) };
    });
  }

  /** Whether the kernel can write this input's window, beside those of the inputs before it. */
  #isDirect(input: Differentiable, before: readonly Differentiable[], options: TargetOptions): boolean {
    if (repeats(input.layout)) return false;
    if (options.fits !== undefined && !options.fits(windowOf(input), input)) return false;
    if (options.mode === 'overwrites' && currentGradient(input.source) !== undefined) return false;
    return before.every((other) => other.source !== input.source || areDisjoint(other.layout, input.layout));
  }

  #open(source: Source, group: readonly Differentiable[], options: TargetOptions): OpenSlot {
    const { device } = this.#tracker;
    const covered = group.reduce((sum, { layout }) => sum + sizeOf(layout.shape), 0) === sizeOf(source.shape);
    const current = currentGradient(source);
    if (current === undefined) {
      const reused = covered ? this.#reused(source, group, options) : undefined;
      if (reused !== undefined) {
        reused.hold();
        reused.isOne = false;
      }
      const storage = reused ?? allocateGradient(this.#tracker, source);
      if (!covered) fill(device, whole(storage, source), 0);
      source.gradient = storage;
      return { storage, previous: undefined };
    }
    current.isOne = false;
    if (source.leaf !== undefined || current.isExclusive) return { storage: current, previous: current };
    const storage = allocateGradient(this.#tracker, source);
    source.gradient = storage;
    this.#replaced.push(current);
    if (options.mode === 'adds' && covered) return { storage, previous: current };
    combine(device, whole(current, source), whole(storage, source), undefined);
    return { storage, previous: storage };
  }

  /** The outputs' gradient or the inputs' own values, if nobody else has them. */
  #reused(source: Source, group: readonly Differentiable[], options: TargetOptions): Storage | undefined {
    const { reusable, overwrites = false } = options;
    const [only] = group;
    if (source.leaf !== undefined || only === undefined) return undefined;
    const isFree = (storage: Storage | undefined): boolean =>
      storage?.isExclusive === true && sizeOf(storage.shape) === sizeOf(source.shape);
    if (group.length === 1 && coversInOrder(only) && isFree(reusable)) return reusable;
    const { values } = only;
    if (!overwrites || source.offset !== 0 || !isFree(values)) return undefined;
    return this.#inputs.every((input) => (input.values === values) === group.includes(input)) ? values : undefined;
  }

  /** A packed buffer of the input's shape, to be added to its source by `close`. */
  #defer(input: Differentiable): Target {
    const storage = new Storage(this.#tracker, 'float32', input.layout.shape);
    storage.hold();
    this.#deferred.push({ input, storage });
    return { output: { buffer: storage.buffer, ...packed(input.layout.shape) }, previous: undefined };
  }

  close(): void {
    for (const { input, storage } of this.#deferred) {
      contribute(this.#tracker, input, { buffer: storage.buffer, ...packed(input.layout.shape) });
      storage.letGo(release);
    }
    for (const storage of this.#replaced) storage.letGo(release);
  }
}

/** Adds factor times a view of the input's shape to the input's gradient; repeated elements collect their sum. */
export function contribute(tracker: Tracker, input: Differentiable, gradient: View, factor = 1): void {
  const { layout, source } = input;
  const repeated = layout.shape.flatMap((size, axis) => (size > 1 && layout.strides[axis] === 0 ? [axis] : []));
  if (repeated.length === 0) {
    const targets = new Targets(tracker, [input], { mode: 'adds' });
    for (const { output, previous } of targets.all) combine(tracker.device, gradient, output, previous, factor);
    targets.close();
    return;
  }
  const once = { source, layout: dropAxes(layout, new Set(repeated)) };
  const targets = new Targets(tracker, [once], { mode: 'accumulates' });
  for (const { output, previous } of targets.all)
    sumInto(tracker.device, gradient, repeated, output, previous !== undefined, factor);
  targets.close();
}

/**
 * Makes the output's gradient the input's, without a copy, where the input is all of its source and has none yet.
 * Gives whether it did.
 */
export function alias(input: Differentiable, storage: Storage): boolean {
  const { source } = input;
  if (source.leaf !== undefined || currentGradient(source) !== undefined || !coversInOrder(input)) return false;
  storage.hold();
  source.gradient = storage;
  return true;
}

/** Starts backward(): the gradient of a tensor with respect to itself, or what the caller gives, shared if it can be. */
export function seedGradient(tracker: Tracker, input: Differentiable, given: Cotangent | undefined): void {
  const { device } = tracker;
  if (given?.view.offset === 0 && isPacked(given.view) && alias(input, given.storage)) return;
  const targets = new Targets(tracker, [input], { mode: 'adds' });
  for (const { output, previous } of targets.all) {
    if (given !== undefined) combine(device, given.view, output, previous);
    else fill(device, output, 1);
  }
  targets.close();
  const { source } = input;
  if (given === undefined && source.leaf === undefined && source.gradient !== undefined) {
    source.gradient.isOne = sizeOf(source.shape) === 1;
  }
}
