import type { Device, MemoryStatistics } from '../devices/device.js';
import { callSite, captureSite } from './call-site.js';
import { Scope, within } from './scopes.js';
import type { Shape } from './shape.js';
import { type Observer, trackerOf } from './storage.js';

/**
 * Ends a step, as `optimizer.step()` does: gives back what the step neither made nor used, so that what a step makes
 * lives until the next one ends, and longer only while it is used. Kept tensors stay.
 */
export function endStep(device: Device): void {
  const tracker = trackerOf(device);
  const release = {
    by: `the end of step ${tracker.step}`,
    at: captureSite(),
    remedy: 'Read it earlier, or call keep() on a tensor that must outlive the step after the one that made it.',
  };
  for (let i = tracker.live.length - 1; i >= 0; i--) {
    const storage = tracker.live[i]; // the last one takes the place of one that is freed: it has been looked at
    if (storage?.kept === false && storage.lastStep < tracker.step) storage.free(release);
  }
  tracker.step++;
}

/**
 * Runs a function and gives back the tensors it made, except those it returns (alone or in arrays, plain objects,
 * maps and sets) and kept ones. An async function's scope closes when its promise settles: await it before other work.
 */
export function scope<T>(device: Device, body: () => T): T {
  return within(openScope(device), body);
}

/** A scope to close by hand or with `using`; kept tensors survive it. */
export function openScope(device: Device): Scope {
  return new Scope(device, {
    by: 'the end of the scope opened',
    at: captureSite(),
    remedy: 'Return it from the scope, or call keep() on it.',
  });
}

export interface TensorMemory extends MemoryStatistics {
  /** Buffers in use by tensors, the graph and gradients. */
  readonly buffers: number;
  readonly keptBuffers: number;
  readonly keptBytes: number;
}

/** What the device's tensors take now. */
export function memory(device: Device): TensorMemory {
  const { live } = trackerOf(device);
  const kept = live.filter((storage) => storage.kept);
  return {
    ...device.memory(),
    buffers: live.length,
    keptBuffers: kept.length,
    keptBytes: kept.reduce((sum, { buffer }) => sum + buffer.bytes, 0),
  };
}

/** Notes where each tensor is made from now on, for `leakReport`: some microseconds for each. */
export function traceTensors(device: Device, on = true): void {
  trackerOf(device).traces = on;
}

/**
 * Stands around what operations recorded from now on do in backward(), so that a profile can tell who asked for it: the
 * observer is called as an operation is recorded. Undefined ends it.
 */
export function observeBackward(device: Device, observer: Observer | undefined): void {
  trackerOf(device).observe = observer;
}

export interface Leak {
  /** The line that made them; undefined for what was made while traceTensors was off. */
  readonly madeAt: string | undefined;
  readonly buffers: number;
  readonly bytes: number;
  readonly shapes: readonly Shape[];
}

/** What is live and not kept, by the line that made it, most bytes first. */
export function leakReport(device: Device): Leak[] {
  const byLine = new Map<string | undefined, { buffers: number; bytes: number; shapes: Map<string, Shape> }>();
  for (const { kept, madeAt, buffer, shape } of trackerOf(device).live) {
    if (kept) continue;
    const line = madeAt === undefined ? undefined : callSite(madeAt);
    const entry = byLine.get(line) ?? { buffers: 0, bytes: 0, shapes: new Map() };
    byLine.set(line, entry);
    entry.buffers++;
    entry.bytes += buffer.bytes;
    entry.shapes.set(shape.join(), shape);
  }
  return [...byLine]
    .map(([madeAt, { buffers, bytes, shapes }]) => ({ madeAt, buffers, bytes, shapes: [...shapes.values()] }))
    .sort((a, b) => b.bytes - a.bytes);
}
