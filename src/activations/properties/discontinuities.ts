import { contains } from './domain.js';
import { above, areNeighbours, below, middle } from './floats.js';
import type { Sample, Scan } from './scan.js';

/** Smaller jumps are not seen: relative to the size of the values beside them, or to 1. */
export const jumpTolerance = 1e-9;

/** A point without a derivative, and what Sluice takes for one there. */
export interface Kink {
  readonly x: number;
  /** The slope just below x, at x (the derivative that back-propagation uses), and just above x. */
  readonly left: number;
  readonly derivative: number;
  readonly right: number;
  /** How far the value jumps; 0 where the function is continuous. */
  readonly jump: number;
}

type Read = (sample: Sample) => number;
const value: Read = (sample) => sample.value;
const slope: Read = (sample) => sample.slope;
const curvature: Read = (sample) => sample.curvature;

/** Where the value or the slope jumps, found between neighbouring samples by bisection. */
export function kinksOf(scan: Scan): Kink[] {
  const { samples, at, domain } = scan;
  const areTogether = (left: Sample, right: Sample): boolean =>
    domain.some((interval) => [left.x, right.x].every((x) => contains(interval, x)));
  const found = new Map<number, Kink>();
  for (const [i, left] of samples.entries()) {
    const right = samples[i + 1];
    if (right === undefined) break;
    if (!areTogether(left, right)) continue;
    const gap = jumpBetween(left, right, value, slope, at) ?? jumpBetween(left, right, slope, curvature, at);
    if (gap === undefined) continue;
    const kink = kinkAt(scan, gap);
    // The end of a domain is none.
    if (!Number.isNaN(kink.left) && !Number.isNaN(kink.right)) found.set(kink.x, kink);
  }
  return [...found.values()];
}

/** Neighbouring numbers between which something jumps. */
type Gap = readonly [low: number, high: number];

function kinkAt({ at, breaks }: Scan, gap: Gap): Kink {
  const x = boundary(gap, breaks);
  const [left, right] = [at(Math.min(below(gap[0]), below(x))), at(Math.max(above(gap[1]), above(x)))];
  const isJump = Math.abs(right.value - left.value) > tolerance(left.value, right.value);
  return {
    x,
    left: left.slope,
    derivative: at(x).slope,
    right: right.slope,
    jump: isJump ? right.value - left.value : 0,
  };
}

const tolerance = (a: number, b: number): number => jumpTolerance * Math.max(1, Math.min(Math.abs(a), Math.abs(b)));

function jumpBetween(left: Sample, right: Sample, read: Read, rate: Read, at: (x: number) => Sample): Gap | undefined {
  const jumps = (a: Sample, b: Sample): boolean => {
    const difference = Math.abs(read(b) - read(a));
    if (!Number.isFinite(difference) || difference <= tolerance(read(a), read(b))) return false;
    return areNeighbours(a.x, b.x) || difference > 4 * (b.x - a.x) * Math.max(Math.abs(rate(a)), Math.abs(rate(b)));
  };
  let [low, high] = [left, right];
  while (jumps(low, high)) {
    if (areNeighbours(low.x, high.x)) return [low.x, high.x];
    const center = at(middle(low.x, high.x));
    const goesLeft = Math.abs(read(center) - read(low)) > Math.abs(read(high) - read(center));
    [low, high] = goesLeft ? [low, center] : [center, high];
  }
  return undefined;
}

/** The break at the gap, which rounding may have moved by some units of the last place; else the shorter number. */
function boundary([low, high]: Gap, breaks: readonly number[]): number {
  const near = breaks.find((x) => Math.abs(x - low) <= 1e-14 * Math.max(Math.abs(x), Number.MIN_VALUE * 2 ** 60));
  return near ?? (String(low).length <= String(high).length ? low : high);
}
