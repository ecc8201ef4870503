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

/** Where the value or the slope jumps, found between neighbouring samples by bisection. */
export function kinksOf({ samples, at, breaks }: Scan): Kink[] {
  const positions = new Set<number>();
  for (const [i, left] of samples.entries()) {
    const right = samples[i + 1];
    if (right === undefined) break;
    for (const [read, rate] of [
      [value, slope],
      [slope, (sample: Sample) => sample.curvature],
    ] as const) {
      const found = jumpBetween(left, right, read, rate, at);
      if (found !== undefined) positions.add(boundary(found, breaks));
    }
  }
  return [...positions]
    .sort((a, b) => a - b)
    .map((x) => {
      const [left, here, right] = [at(below(x)), at(x), at(above(x))];
      const apart = Math.abs(right.value - left.value);
      const jump = apart > tolerance(left.value, right.value) ? right.value - left.value : 0;
      return { x, left: left.slope, derivative: here.slope, right: right.slope, jump };
    });
}

const tolerance = (a: number, b: number): number => jumpTolerance * Math.max(1, Math.min(Math.abs(a), Math.abs(b)));

function jumpBetween(
  left: Sample,
  right: Sample,
  read: Read,
  rate: Read,
  at: (x: number) => Sample,
): [number, number] | undefined {
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

/** Of two neighbouring numbers the one that the formula names, else the shorter one to write. */
function boundary([low, high]: readonly [number, number], breaks: readonly number[]): number {
  const lowIsBreak = breaks.includes(low);
  if (lowIsBreak !== breaks.includes(high)) return lowIsBreak ? low : high;
  return String(low).length <= String(high).length ? low : high;
}
