import { SluiceError, show } from '../base/errors.js';
import type { Device, DeviceBuffer, StorageType } from '../devices/device.js';
import { callSite, captureSite } from './call-site.js';
import { type Shape, sizeOf } from './shape.js';

/** Why memory was given back, and where. */
export interface Release {
  readonly by: string;
  readonly at?: Error;
  readonly remedy: string;
}

/** Gives what is to be called instead of a function. */
export type Observer = <A extends readonly unknown[]>(call: (...args: A) => void) => (...args: A) => void;

/** The memory of one device: what is live, and the number of the current step. */
export class Tracker {
  readonly device: Device;
  readonly #live: Storage[] = [];
  step = 0;
  /** Whether to note where each tensor is made. */
  traces = false;
  /** Stands around what an operation does in backward(); called when the operation is recorded. */
  observe: Observer | undefined;

  constructor(device: Device) {
    this.device = device;
  }

  /** In no order. Go through them backwards where some may be freed on the way. */
  get live(): readonly Storage[] {
    return this.#live;
  }

  add(storage: Storage): void {
    storage.place = this.#live.length;
    this.#live.push(storage);
  }

  /** Its place is taken by the last one: a set would leave tables to be collected with every step. */
  remove(storage: Storage): void {
    const last = this.#live.pop();
    if (last === undefined || last === storage) return;
    this.#live[storage.place] = last;
    last.place = storage.place;
  }
}

const trackers = new WeakMap<Device, Tracker>();

export function trackerOf(device: Device): Tracker {
  const known = trackers.get(device);
  if (known !== undefined) return known;
  const tracker = new Tracker(device);
  trackers.set(device, tracker);
  return tracker;
}

/**
 * A buffer and those who hold it: tensors, the graph, a gradient slot. It goes back to the device when the last of
 * them lets go, or when a step ends that neither made nor used it, unless it is kept.
 */
export class Storage {
  readonly tracker: Tracker;
  readonly buffer: DeviceBuffer;
  /** The shape it was made for. */
  readonly shape: Shape;
  readonly madeAt: Error | undefined;
  /** Rises with each change in place, so that backward() can refuse values that are no longer those of forward. */
  version = 0;
  lastStep: number;
  /** Whether it was made to be written first; what its values are before that does not matter. */
  awaitsValues = false;
  /** Whether it surely holds the number 1 alone: the gradient of a loss by itself. */
  isOne = false;
  /** @internal Where the tracker has it. */
  place = 0;
  #holders = 0;
  #keeps = 0;
  #release: Release | undefined;

  constructor(tracker: Tracker, type: StorageType, shape: Shape) {
    this.tracker = tracker;
    this.shape = shape;
    this.lastStep = tracker.step;
    this.madeAt = tracker.traces ? captureSite() : undefined;
    this.buffer = tracker.device.allocate(type, sizeOf(shape));
    tracker.add(this);
  }

  get release(): Release | undefined {
    return this.#release;
  }

  /** Whether it outlives steps. */
  get kept(): boolean {
    return this.#keeps > 0;
  }

  keep(): void {
    this.#keeps++;
  }

  stopKeeping(): void {
    this.#keeps--;
  }

  get holders(): number {
    return this.#holders;
  }

  /** Whether nobody else would see a change. */
  get isExclusive(): boolean {
    return this.#holders === 1 && !this.kept;
  }

  hold(): void {
    this.#holders++;
  }

  letGo(why: Release): void {
    this.#holders--;
    if (this.#holders === 0) this.free(why);
  }

  free(why: Release): void {
    if (this.#release !== undefined) return;
    this.#release = why;
    this.tracker.remove(this);
    this.tracker.device.free(this.buffer);
  }

  /** Notes a use by an operation: a step keeps what it uses. */
  touch(): void {
    if (this.#release !== undefined) throw freedError(this.shape, this.#release, this.madeAt);
    this.lastStep = this.tracker.step;
  }
}

/** The error of a use after the memory was given back; its message names both lines. */
export function freedError(shape: Shape, release: Release, madeAt?: Error): SluiceError {
  const freedAt = release.at === undefined ? '' : ` at ${callSite(release.at)}`;
  const made = madeAt === undefined ? '' : `, made at ${callSite(madeAt)}`;
  const used = callSite(captureSite());
  return new SluiceError('freed', {
    rule: `a tensor is used while it has its memory: this one, ${show(shape)}${made}, was given back by ${release.by}${freedAt} and is used at ${used}`,
    remedy: release.remedy,
  });
}
