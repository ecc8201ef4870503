import { normalPdf } from '../../scalar/special.js';
import { contains, type Interval } from './domain.js';
import { above, below } from './floats.js';

/** Moments of the output when every input is an independent standard normal. */
export interface NormalMoments {
  readonly mean: number;
  readonly variance: number;
  /** The probability of an output that is exactly 0. */
  readonly zeros: number;
}

interface Quadrature {
  readonly points: readonly number[];
  /** Times the normal density at the point. */
  readonly weights: readonly number[];
}

/** Beyond it a standard normal has 1e-31 of its mass. */
const widest = 12;

/** Gauss-Legendre nodes and weights on [-1, 1], by Newton's method on the Legendre polynomial. */
function gaussLegendre(order: number): { node: number; weight: number }[] {
  return Array.from({ length: order }, (_, i) => {
    let x = Math.cos((Math.PI * (i + 0.75)) / (order + 0.5));
    let slope = 1;
    for (let iteration = 0; iteration < 100; iteration++) {
      let [last, current] = [1, x];
      for (let k = 2; k <= order; k++) [last, current] = [current, ((2 * k - 1) * x * current - (k - 1) * last) / k];
      slope = (order * (x * current - last)) / (x * x - 1);
      const change = current / slope;
      x -= change;
      if (Math.abs(change) < 1e-16) break;
    }
    return { node: x, weight: 2 / ((1 - x * x) * slope * slope) };
  });
}

/** Panels of width 1 over the domain, split where the function breaks, so that each holds a smooth piece. */
function quadrature(breaks: readonly number[], order: number, domain?: readonly Interval[]): Quadrature {
  const whole = Array.from({ length: 2 * widest + 1 }, (_, i) => i - widest);
  const ends = (domain ?? []).flatMap(({ from, to }) => [from.x, to.x]);
  const inside = [...breaks, ...ends].filter((x) => Math.abs(x) < widest);
  const edges = [...new Set([...whole, ...inside])].sort((a, b) => a - b);
  const rule = gaussLegendre(order);
  const [points, weights]: [number[], number[]] = [[], []];
  const add = (x: number, weight: number): void => {
    points.push(x);
    weights.push(weight * normalPdf(x));
  };
  for (const [i, start] of edges.slice(0, -1).entries()) {
    const end = edges[i + 1] ?? start;
    const middle = (start + end) / 2;
    if (domain !== undefined && !domain.some((interval) => contains(interval, middle))) continue;
    const half = (end - start) / 2;
    if (!ends.includes(start) && !ends.includes(end)) {
      for (const { node, weight } of rule) add(start + half * (1 + node), half * weight);
      continue;
    }
    for (const [from, to] of [start, end].map((x) => [x, middle] as const)) {
      for (const { node, weight } of rule) add(...graded(from, to, (1 + node) / 2, weight / 2));
    }
  }
  return { points, weights };
}

/** A node of the unit interval as one from `from` to `to` by its eighth power: a root or a pole at `from` is smooth in it. */
function graded(from: number, to: number, node: number, weight: number): [point: number, weight: number] {
  const x = from + (to - from) * node ** 8;
  const inside = from < to ? above(from) : below(from);
  return [x === from ? inside : x, Math.abs(to - from) * 8 * node ** 7 * weight];
}

/**
 * Moments of f(x); `breaks` are the points between which f is smooth.
 * @param domain where f has values: the moments are those of inputs that lie there, NaN and infinity where there are none.
 *   The whole line by default.
 */
export function normalMoments(
  f: (x: number) => number,
  breaks: readonly number[],
  domain?: readonly Interval[],
): NormalMoments {
  if (domain === undefined) {
    const { points, weights } = quadrature(breaks, 16);
    return momentsOf(points.map(f), weights);
  }
  const [fine, coarse] = [quadrature(breaks, 32, domain), quadrature(breaks, 24, domain)];
  const integral = ({ points, weights }: Quadrature, g: (value: number) => number): number =>
    expectation(
      points.map((x) => g(f(x))),
      weights,
    );
  /** An integral without a value grows with the number of points. */
  const exists = (g: (value: number) => number): boolean => {
    const value = integral(fine, g);
    return Math.abs(integral(coarse, g) - value) <= 1e-6 * Math.abs(value);
  };
  const mass = integral(fine, () => 1);
  const moments = momentsOf(
    fine.points.map(f),
    fine.weights.map((weight) => weight / mass),
  );
  // Not of the size, which is not smooth where the value is 0.
  const hasMean = mass > 0 && exists((value) => Math.hypot(1, value));
  if (!hasMean) return { ...moments, mean: Number.NaN, variance: Number.NaN };
  return exists((value) => value * value) ? moments : { ...moments, variance: Number.POSITIVE_INFINITY };
}

/** Moments of f(a, b), smooth between lines parallel to the axes. */
export function normalMoments2(
  f: (a: number, b: number) => number,
  [breaksA, breaksB]: readonly [readonly number[], readonly number[]],
): NormalMoments {
  const [a, b] = [quadrature(breaksA, 8), quadrature(breaksB, 8)];
  const values = a.points.flatMap((x) => b.points.map((y) => f(x, y)));
  return momentsOf(
    values,
    a.weights.flatMap((v) => b.weights.map((w) => v * w)),
  );
}

function momentsOf(values: readonly number[], weights: readonly number[]): NormalMoments {
  const mean = expectation(values, weights);
  const mapped = (g: (value: number) => number): number => rounded(expectation(values.map(g), weights));
  return {
    mean: rounded(mean),
    variance: mapped((value) => (value - mean) ** 2),
    zeros: mapped((value) => (value === 0 ? 1 : 0)),
  };
}

const expectation = (values: readonly number[], weights: readonly number[]): number =>
  values.reduce((sum, value, i) => sum + (weights[i] ?? 0) * value, 0);

/** To 12 decimals: the rest is the quadrature's rounding. */
const rounded = (value: number): number => Math.round(value * 1e12) / 1e12 + 0;
