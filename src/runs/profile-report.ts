import type { Launch } from '../devices/profile.js';
import type { Work } from '../devices/work.js';

/** Who asked for a call: the layer, by its name, and the direction. */
export interface Place {
  readonly layer: string;
  readonly phase: 'forward' | 'backward' | 'update';
}

/** Calls of one kind, for a step. */
export interface ProfileRow {
  readonly name: string;
  readonly launches: number;
  readonly milliseconds: number;
  /** Of the step's time. */
  readonly share: number;
  readonly gigaflopsPerSecond: number;
  readonly gigabytesPerSecond: number;
  readonly gigabytes: number;
}

/** Where a training step's time goes; means over the steps that were measured. */
export interface ProfileReport {
  readonly steps: number;
  readonly milliseconds: number;
  /** What is left of the step when the device's calls are taken out: JavaScript, and waiting. */
  readonly overheadMilliseconds: number;
  readonly launches: number;
  /** That kernels read or write, each operand of each call counted once. */
  readonly gigabytes: number;
  readonly gigaflops: number;
  /** The most bytes that were live in tensors at once, since the device was opened. */
  readonly peakBytes: number;
  /** Most time first. */
  readonly kernels: readonly ProfileRow[];
  readonly layers: readonly ProfileRow[];
}

/** A call with its name and work told. */
export interface Told extends Work, Pick<Launch<Place>, 'kind' | 'place' | 'began' | 'ended'> {
  readonly name: string;
}

export const tell = ({ kind, name, work, place, began, ended }: Launch<Place>): Told => ({
  ...work(),
  ...{ kind, place, began, ended, name: name() },
});

/** Layers that repeat count as one: `model.layers.*.mlp`. */
const family = (layer: string): string => layer.replaceAll(/\.\d+(?=\.|$)/g, '.*');

/** @param milliseconds that the steps took together */
export function report(calls: readonly Told[], steps: number, milliseconds: number, peakBytes: number): ProfileReport {
  const inCalls = calls.reduce((sum, { began, ended }) => sum + ended - began, 0);
  const total = (of: (call: Told) => number): number => calls.reduce((sum, call) => sum + of(call), 0);
  return {
    steps,
    milliseconds: milliseconds / steps,
    overheadMilliseconds: (milliseconds - inCalls) / steps,
    launches: calls.length / steps,
    gigabytes: total(({ bytes }) => bytes) / steps / 1e9,
    gigaflops: total(({ flops }) => flops) / steps / 1e9,
    peakBytes,
    kernels: rowsBy(calls, steps, milliseconds, ({ name, shape }) => `${name} ${shape.join('x')}`),
    layers: rowsBy(calls, steps, milliseconds, ({ place }) => `${family(place.layer)} ${place.phase}`),
  };
}

function rowsBy(
  calls: readonly Told[],
  steps: number,
  milliseconds: number,
  nameOf: (call: Told) => string,
): ProfileRow[] {
  const sums = new Map<string, { launches: number; milliseconds: number; bytes: number; flops: number }>();
  for (const call of calls) {
    const name = nameOf(call);
    const sum = sums.get(name) ?? { launches: 0, milliseconds: 0, bytes: 0, flops: 0 };
    sums.set(name, sum);
    sum.launches++;
    sum.milliseconds += call.ended - call.began;
    sum.bytes += call.bytes;
    sum.flops += call.flops;
  }
  const rows = [...sums].map(([name, sum]) => ({
    name,
    launches: sum.launches / steps,
    milliseconds: sum.milliseconds / steps,
    share: sum.milliseconds / milliseconds,
    gigaflopsPerSecond: sum.flops / (sum.milliseconds * 1e6),
    gigabytesPerSecond: sum.bytes / (sum.milliseconds * 1e6),
    gigabytes: sum.bytes / steps / 1e9,
  }));
  return rows.sort((a, b) => b.milliseconds - a.milliseconds);
}

/** In the format of chrome://tracing and https://ui.perfetto.dev: layers above, the calls that they make below. */
export function chromeTrace(calls: readonly Told[], steps: readonly Span[], layers: readonly Span[]): string {
  const events = [
    ...steps.map((span) => complete(span, 'step', 0)),
    ...layers.map((span) => complete(span, 'layer', 0)),
    ...calls.map((call) => {
      const { name, kind, shape, bytes, flops, place } = call;
      return { ...complete(call, kind, 1), name, args: { shape: shape.join('x'), bytes, flops, ...place } };
    }),
  ];
  const lanes = ['layers', 'kernels'].map((name, tid) => ({
    ...{ name: 'thread_name', ph: 'M', pid: 1, tid, args: { name } },
  }));
  return JSON.stringify({ displayTimeUnit: 'ms', traceEvents: [...lanes, ...events] });
}

export interface Span {
  readonly name: string;
  readonly began: number;
  readonly ended: number;
}

/** A complete event; the format counts in microseconds. */
const complete = ({ name, began, ended }: Span, category: string, lane: number) => ({
  ...{ name, cat: category, ph: 'X', pid: 1, tid: lane },
  ts: 1000 * began,
  dur: 1000 * (ended - began),
});
