import { join } from 'node:path';
import type { Device } from '../devices/device.js';
import { type Launch, ProfiledDevice } from '../devices/profile.js';
import { writeFileAtomically } from '../formats/durable.js';
import type { Layer } from '../layers/layer.js';
import { observeBackward } from '../tensor/memory.js';
import type { Learner } from '../training/learner.js';
import type { Optimizer } from '../training/optimizer.js';
import { chromeTrace, type Place, type ProfileReport, report, type Span, tell } from './profile-report.js';

/**
 * Steps that are left out: kernels are compiled in the first and memory is found in the second, and engines go on
 * compiling JavaScript for some seconds or hundreds of calls.
 */
const warmUp = { least: 2, most: 100, milliseconds: 3000 };
/** Steps that are measured. */
const measured = 10;

const outside: Place = { layer: '(loss)', phase: 'forward' };

/** Notes where the time of some training steps goes. Costs nothing where none is made: devices and layers are wrapped. */
export class Profile {
  readonly device: Device;
  readonly #profiled: ProfiledDevice<Place>;
  readonly #launches: Launch<Place>[] = [];
  readonly #steps: Span[] = [];
  readonly #layers: Span[] = [];
  readonly #path: string | undefined;
  #seen = 0;
  #began = 0;
  #left = measured;
  readonly #undo: (() => void)[] = [];

  /** Train on its `device`, which does what this one does. The trace goes into the run's folder, or to the path. */
  constructor(device: Device, path?: string) {
    this.#path = path;
    this.#profiled = new ProfiledDevice(device, outside);
    this.device = this.#profiled;
  }

  /** Tells the layers of a trainer's model apart, and its optimizer, until the steps are measured. */
  watch({ model, optimizer }: Learner): void {
    for (const [name, layer] of model.namedLayers()) this.#wrap(layer, 'forward', { layer: name, phase: 'forward' });
    if (optimizer !== undefined) this.#wrap(optimizer, 'step', { layer: '(optimizer)', phase: 'update' });
    const device = this.#profiled;
    observeBackward(device, (call) => {
      const place: Place = { layer: device.place.layer, phase: 'backward' };
      return (...args) => this.#at(place, () => call(...args));
    });
    this.#undo.push(() => observeBackward(device, undefined));
  }

  /** Puts a method of the object's own before the one of its class. */
  #wrap(owner: Layer | Optimizer, method: string, place: Place): void {
    const original: unknown = Reflect.get(owner, method);
    if (typeof original !== 'function') return;
    const value = (...args: readonly unknown[]): unknown =>
      this.#at(place.layer === '' ? outside : place, () => Reflect.apply(original, owner, args));
    Object.defineProperty(owner, method, { value, configurable: true });
    this.#undo.push(() => Reflect.deleteProperty(owner, method));
  }

  #at<T>(place: Place, call: () => T): T {
    const before = this.#profiled.place;
    this.#profiled.place = place;
    const began = performance.now();
    try {
      return call();
    } finally {
      this.#profiled.place = before;
      if (this.#profiled.launches !== undefined && place !== outside) {
        this.#layers.push({ name: `${place.layer} ${place.phase}`, began, ended: performance.now() });
      }
    }
  }

  /** Takes one of `left` steps of training, and measures it when it is its turn. */
  async measure<T>(left: number, step: () => Promise<T>): Promise<T> {
    if (this.#left === 0 || !this.#isWarm(left)) return step();
    this.#profiled.launches = this.#launches;
    const began = performance.now();
    try {
      return await step();
    } finally {
      this.#steps.push({ name: `step ${this.#seen}`, began, ended: performance.now() });
      this.#profiled.launches = undefined;
      this.#left = left === 1 ? 0 : this.#left - 1;
    }
  }

  #isWarm(left: number): boolean {
    const now = performance.now();
    if (this.#seen++ === 0) this.#began = now;
    if (left === 1 || this.#steps.length > 0) return true;
    const isLong = this.#seen > warmUp.most || now - this.#began > warmUp.milliseconds;
    return this.#seen > warmUp.least && (isLong || left <= measured);
  }

  /** Whether the last of the steps has been measured, and nobody has taken what was found. */
  get isDone(): boolean {
    return this.#left === 0 && this.#steps.length > 0;
  }

  /** What was found, once; its trace is written into the folder, unless there is a path for it. */
  async take(folder: string): Promise<{ readonly report: ProfileReport; readonly trace: string }> {
    const trace = this.#path ?? join(folder, 'trace.json');
    const calls = this.#launches.map(tell);
    const steps = [...this.#steps];
    const milliseconds = steps.reduce((sum, { began, ended }) => sum + ended - began, 0);
    try {
      await writeFileAtomically(trace, chromeTrace(calls, steps, this.#layers));
    } finally {
      for (const undo of this.#undo) undo();
      for (const list of [this.#launches, this.#steps, this.#layers, this.#undo]) list.length = 0;
    }
    return { report: report(calls, steps.length, milliseconds, this.device.memory().peakBytes), trace };
  }
}
