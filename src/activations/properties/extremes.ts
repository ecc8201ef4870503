import { beyond } from '../../scalar/lower.js';
import { approach, type End, type Interval } from './domain.js';
import { areNeighbours } from './floats.js';
import type { Sample, Scan } from './scan.js';

/** Values closer than this, relative to their size or to 1, count as equal. */
export const equalTolerance = 1e-12;

/** The least upper (or greatest lower) bound of a function over its domain. */
export interface Bound {
  readonly value: number;
  /** Where it is taken (or the break right beside), or the infinity or the end of the domain where it is approached. */
  readonly at: number;
  /** Whether the function takes the value. */
  readonly attained: boolean;
}

/** Limits towards the ends of the domain, mostly minus and plus infinity: infinite where there is none, NaN if unknown. */
export type Limits = readonly [negative: number, positive: number];

const halfway = 2 ** 140;
const vanishing = 2 ** -100;

/** The limits of a function, from its values at 2^140 and at what stands for infinity. */
export function limitsOf(h: (x: number) => number): Limits {
  const limit = (sign: number): number => {
    const [near, end] = [h(sign * halfway), h(sign * beyond)];
    if (Number.isNaN(end) || Math.abs(end) >= 2 ** 128)
      return Math.abs(end) >= 2 ** 128 ? Math.sign(end) * Infinity : end;
    if (isClose(near, end)) return Math.abs(end) < vanishing ? 0 : end;
    return Math.abs(end) > Math.abs(near) ? Math.sign(end) * Infinity : Number.NaN;
  };
  return [limit(-1), limit(1)];
}

/** What a function tends to where its domain has an end that it does not include. */
interface OpenEnd {
  readonly at: number;
  readonly limit: number;
}

/** The open ends in rising order; an end where only the derivative is infinite is an open one of that. */
function openEnds({ domain, at }: Scan, { value }: Reading): OpenEnd[] {
  const h = (x: number): number => value(at(x));
  const [negative, positive] = limitsOf(h);
  const open = ({ x, included }: End, side: 1 | -1): OpenEnd[] => {
    if (x === Number.NEGATIVE_INFINITY) return [{ at: x, limit: negative }];
    if (x === Number.POSITIVE_INFINITY) return [{ at: x, limit: positive }];
    return included && Number.isFinite(h(x)) ? [] : [{ at: x, limit: approach(h, x, side) }];
  };
  return domain.flatMap(({ from, to }) => [...open(from, 1), ...open(to, -1)]);
}

/** The values at the two ends of an interval, or what the function tends to there. */
export function endValues({ at }: Scan, { from, to }: Interval): Limits {
  const h = (x: number): number => at(x).value;
  const [negative, positive] = limitsOf(h);
  const atEnd = ({ x, included }: End, side: 1 | -1): number => (included ? h(x) : approach(h, x, side));
  return [
    from.x === Number.NEGATIVE_INFINITY ? negative : atEnd(from, 1),
    to.x === Number.POSITIVE_INFINITY ? positive : atEnd(to, -1),
  ];
}

export const isClose = (a: number, b: number): boolean =>
  Math.abs(a - b) <= equalTolerance * Math.max(1, Math.min(Math.abs(a), Math.abs(b)));

/** What a bound is taken of: a function and its derivative, by a sample. */
export interface Reading {
  readonly value: (sample: Sample) => number;
  readonly rate: (sample: Sample) => number;
}

export const supremum = (scan: Scan, reading: Reading): Bound => bound(scan, reading, 1);
export const infimum = (scan: Scan, reading: Reading): Bound => bound(scan, reading, -1);

/** The upper bound of sign * h, as a bound of h. */
function bound(scan: Scan, reading: Reading, sign: 1 | -1): Bound {
  const h = (sample: Sample): number => sign * reading.value(sample);
  const finite = scan.samples.filter((sample) => Number.isFinite(h(sample)));
  const [first] = finite;
  if (first === undefined) return { value: Number.NaN, at: Number.NaN, attained: false };
  const best = finite.reduce((top, sample) => (h(sample) > h(top) ? sample : top), first);
  const ends = openEnds(scan, reading).filter((end) => !Number.isNaN(end.limit));
  const limit = Math.max(...ends.map((end) => sign * end.limit), Number.NEGATIVE_INFINITY);
  if (h(best) > limit && !isClose(h(best), limit)) {
    const peak = refine(scan, best, reading, sign);
    const at = plainPlace(scan, peak, reading);
    const there = reading.value(scan.at(at));
    const value = isClose(there, reading.value(peak)) ? there : reading.value(peak);
    return { value: value + 0, at, attained: true };
  }
  // Rounding reaches the limit of a curve that never does: only a piece that is level takes it.
  const level = scan.pieces.filter(
    (piece) => piece.length > 1 && piece.every((sample) => reading.rate(sample) === 0 && isClose(h(sample), limit)),
  );
  const nearest = level.flat().reduce<Sample | undefined>((near, sample) => {
    return near === undefined || Math.abs(sample.x) < Math.abs(near.x) ? sample : near;
  }, undefined);
  const value = sign * limit + 0;
  if (nearest !== undefined) return { value, at: plainPlace(scan, nearest, reading), attained: true };
  return { value, at: ends.findLast((end) => sign * end.limit === limit)?.at ?? Number.NaN, attained: false };
}

/** The stationary point beside the best sample, by bisection of the derivative's sign. */
function refine(scan: Scan, best: Sample, { value, rate }: Reading, sign: number): Sample {
  const i = scan.samples.indexOf(best);
  const [before, after] = [scan.samples[i - 1] ?? best, scan.samples[i + 1] ?? best];
  const rises = (sample: Sample): boolean => sign * rate(sample) > 0;
  if (!rises(before) || rises(after)) return best;
  let [low, high] = [before, after];
  while (!areNeighbours(low.x, high.x)) {
    const center = scan.at(low.x + (high.x - low.x) / 2);
    if (center.x <= low.x || center.x >= high.x) break;
    if (rises(center)) low = center;
    else high = center;
  }
  return [low, high, best].reduce((top, sample) => (sign * value(sample) > sign * value(top) ? sample : top));
}

/** The place of a sample, or the break or the zero that it cannot be told from. */
function plainPlace({ breaks, at }: Scan, sample: Sample, { value }: Reading): number {
  const { x } = sample;
  const beside = breaks.find((point) => Math.abs(point - x) <= 1e-14 * Math.max(Math.abs(point), 2 ** -1000));
  if (beside !== undefined) return beside + 0;
  return Math.abs(x) < 1e-6 && isClose(value(at(0)), value(sample)) ? 0 : x + 0;
}
