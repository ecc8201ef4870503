import type { Expression } from '../../scalar/expression.js';
import { type Kink, kinksOf } from './discontinuities.js';
import { type Bound, equalTolerance, infimum, isClose, type Limits, limitsOf, type Reading, supremum } from './extremes.js';
import { type Sample, type Scan, scan } from './scan.js';

/** A side on which the slope tends to 0: `hard` where it is exactly 0 from some point on. */
export type SaturatingSide = 'no' | 'soft' | 'hard';

export interface CurveProperties {
  readonly range: { readonly infimum: Bound; readonly supremum: Bound };
  readonly limits: Limits;
  /** Linear up to a constant: its slope is the same everywhere. */
  readonly linear: boolean;
  readonly differentiable: 'everywhere' | 'almost everywhere';
  /** The points without a derivative, and the derivative chosen there. */
  readonly kinks: readonly Kink[];
  readonly monotonic: 'increasing' | 'nondecreasing' | 'decreasing' | 'nonincreasing' | 'constant' | 'no';
  /** Jumps apart. */
  readonly symmetry: 'odd' | 'even' | 'none';
  /** Value and derivative at 0; near the identity if they are 0 and 1. */
  readonly atZero: { readonly value: number; readonly derivative: number; readonly nearIdentity: boolean };
  readonly saturates: { readonly left: SaturatingSide; readonly right: SaturatingSide };
  /** The slope of the largest size. */
  readonly steepest: Bound;
}

const value: Reading = { value: (sample) => sample.value, rate: (sample) => sample.slope };
const slope: Reading = { value: (sample) => sample.slope, rate: (sample) => sample.curvature };

/** Scans a formula in x and says what its curve is like. */
export function curveOf(expression: Expression): { readonly scan: Scan; readonly properties: CurveProperties } {
  const scanned = scan(expression);
  const kinks = kinksOf(scanned);
  const limits = limitsOf((x) => scanned.at(x).value);
  const slopes = limitsOf((x) => scanned.at(x).slope);
  const zero = scanned.at(0);
  const properties: CurveProperties = {
    range: { infimum: infimum(scanned, value, limits), supremum: supremum(scanned, value, limits) },
    limits,
    linear: kinks.length === 0 && scanned.samples.every((sample) => isClose(sample.slope, zero.slope)),
    differentiable: kinks.length === 0 ? 'everywhere' : 'almost everywhere',
    kinks,
    monotonic: monotonicity(scanned, kinks),
    symmetry: symmetry(scanned, kinks),
    atZero: {
      value: zero.value,
      derivative: zero.slope,
      nearIdentity: isClose(zero.value, 0) && isClose(zero.slope, 1),
    },
    saturates: { left: saturation(scanned, slopes[0], -1), right: saturation(scanned, slopes[1], 1) },
    steepest: steepest(scanned, slopes),
  };
  return { scan: scanned, properties };
}

function steepest(scanned: Scan, limits: Limits): Bound {
  const [up, down] = [supremum(scanned, slope, limits), infimum(scanned, slope, limits)];
  return Math.abs(down.value) > Math.abs(up.value) ? down : up;
}

function monotonicity({ samples }: Scan, kinks: readonly Kink[]): CurveProperties['monotonic'] {
  const rises = (sign: number): boolean =>
    samples.every(({ slope: own }) => sign * own >= -equalTolerance) &&
    kinks.every(({ left, right, jump }) => Math.min(sign * left, sign * right, sign * jump) >= -equalTolerance);
  const [up, down] = [rises(1), rises(-1)];
  if (up && down) {
    const total = kinks.reduce((sum, { jump }) => sum + jump, 0);
    return total === 0 ? 'constant' : total > 0 ? 'nondecreasing' : 'nonincreasing';
  }
  const isFlat = samples.some(({ slope: own, x }, i) => own === 0 && Math.abs(x) <= 16 && isFlatAt(samples[i + 1], x));
  if (up) return isFlat ? 'nondecreasing' : 'increasing';
  if (down) return isFlat ? 'nonincreasing' : 'decreasing';
  return 'no';
}

const isFlatAt = (next: Sample | undefined, x: number): boolean =>
  next !== undefined && next.slope === 0 && next.x - x > equalTolerance;

function symmetry({ samples, at }: Scan, kinks: readonly Kink[]): CurveProperties['symmetry'] {
  const jumps = new Set(kinks.filter(({ jump }) => jump !== 0).map(({ x }) => Math.abs(x)));
  const pairs = samples
    .filter(({ x, value: own }) => x >= 0 && !jumps.has(x) && Number.isFinite(own))
    .map(({ x, value: own }) => [own, at(-x).value] as const);
  if (pairs.every(([right, left]) => isClose(left, -right))) return 'odd';
  return pairs.every(([right, left]) => isClose(left, right)) ? 'even' : 'none';
}

/** Hard if the slope is exactly 0 where it is first as good as 0, and not by underflow. */
function saturation({ samples }: Scan, limit: number, sign: 1 | -1): SaturatingSide {
  if (!(Math.abs(limit) <= equalTolerance)) return 'no';
  const outwards = sign > 0 ? samples : [...samples].reverse();
  const last = outwards.findLastIndex((sample) => Math.abs(sample.slope) > equalTolerance);
  const next = outwards.slice(last + 1).find(({ x }) => sign * x > sign * (outwards[last]?.x ?? -sign * Infinity));
  return next === undefined || next.slope === 0 ? 'hard' : 'soft';
}
