import type { Expression } from '../../scalar/expression.js';
import { type Kink, kinksOf } from './discontinuities.js';
import type { Interval } from './domain.js';
import {
  type Bound,
  endValues,
  equalTolerance,
  infimum,
  isClose,
  type Limits,
  limitsOf,
  type Reading,
  supremum,
} from './extremes.js';
import { type Sample, type Scan, scan } from './scan.js';

/** A side on which the slope tends to 0: `hard` where it is exactly 0 from some point on. */
export type SaturatingSide = 'no' | 'soft' | 'hard';

export interface CurveProperties {
  /** Where the function has a value; all else is about these intervals. */
  readonly domain: readonly Interval[];
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
  const { domain } = scanned;
  const ends = domain.map((interval) => endValues(scanned, interval));
  const slopes = limitsOf((x) => scanned.at(x).slope);
  const zero = scanned.at(0);
  const properties: CurveProperties = {
    domain,
    range: { infimum: infimum(scanned, value), supremum: supremum(scanned, value) },
    limits: [ends[0]?.[0] ?? Number.NaN, ends.at(-1)?.[1] ?? Number.NaN],
    linear: isLinear(scanned, kinks),
    differentiable: kinks.length === 0 ? 'everywhere' : 'almost everywhere',
    kinks,
    monotonic: monotonicity(scanned, kinks, ends),
    symmetry: symmetry(scanned, kinks),
    atZero: {
      value: zero.value,
      derivative: zero.slope,
      nearIdentity: isClose(zero.value, 0) && isClose(zero.slope, 1),
    },
    saturates: { left: saturation(scanned, slopes[0], 0), right: saturation(scanned, slopes[1], -1) },
    steepest: steepest(scanned),
  };
  return { scan: scanned, properties };
}

function steepest(scanned: Scan): Bound {
  const [up, down] = [supremum(scanned, slope), infimum(scanned, slope)];
  return Math.abs(down.value) > Math.abs(up.value) ? down : up;
}

function isLinear({ domain, samples }: Scan, kinks: readonly Kink[]): boolean {
  const [first] = samples;
  if (first === undefined || domain.length !== 1 || kinks.length > 0) return false;
  return samples.every((sample) => isClose(sample.slope, first.slope));
}

/** @param ends the values at the ends of each interval of the domain. */
function monotonicity(
  { samples, pieces }: Scan,
  kinks: readonly Kink[],
  ends: readonly Limits[],
): CurveProperties['monotonic'] {
  const holes = ends.slice(1).map(([from], i) => from - (ends[i]?.[1] ?? Number.NaN));
  const rises = (sign: number): boolean =>
    samples.every(({ slope: own }) => !(sign * own < -equalTolerance)) &&
    holes.every((step) => sign * step >= -equalTolerance) &&
    kinks.every(({ left, right, jump }) => Math.min(sign * left, sign * right, sign * jump) >= -equalTolerance);
  if (samples.length === 0) return 'no';
  const [up, down] = [rises(1), rises(-1)];
  if (up && down) {
    const total = kinks.reduce((sum, { jump }) => sum + jump, 0);
    return total === 0 ? 'constant' : total > 0 ? 'nondecreasing' : 'nonincreasing';
  }
  const hasLevel = pieces.some(isLevel);
  if (up) return hasLevel ? 'nondecreasing' : 'increasing';
  if (down) return hasLevel ? 'nonincreasing' : 'decreasing';
  return 'no';
}

/** Exactly, so that a slope that only underflows here and there is not taken for level. */
const isLevel = (piece: readonly Sample[]): boolean => piece.length > 1 && piece.every(({ slope: own }) => own === 0);

function symmetry({ samples, at, domain }: Scan, kinks: readonly Kink[]): CurveProperties['symmetry'] {
  if (domain.length === 0) return 'none';
  const mirrored = [...domain].reverse().map(({ from, to }) => [-to.x, -from.x]);
  if (domain.some(({ from, to }, i) => from.x !== mirrored[i]?.[0] || to.x !== mirrored[i]?.[1])) return 'none';
  const jumps = new Set(kinks.filter(({ jump }) => jump !== 0).map(({ x }) => Math.abs(x)));
  const pairs = samples
    .filter(({ x, value: own }) => x >= 0 && !jumps.has(x) && Number.isFinite(own))
    .map(({ x, value: own }) => [own, at(-x).value] as const);
  if (pairs.every(([right, left]) => isClose(left, -right))) return 'odd';
  return pairs.every(([right, left]) => isClose(left, right)) ? 'even' : 'none';
}

function saturation({ pieces }: Scan, limit: number, end: 0 | -1): SaturatingSide {
  if (!(Math.abs(limit) <= equalTolerance)) return 'no';
  return isLevel(pieces.at(end) ?? []) ? 'hard' : 'soft';
}
