import { normalPdf } from '../../scalar/special.js';

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

/** Panels of width 1, split where the function breaks, so that each holds a smooth piece. */
function quadrature(breaks: readonly number[], order: number): Quadrature {
  const whole = Array.from({ length: 2 * widest + 1 }, (_, i) => i - widest);
  const inside = breaks.filter((x) => Math.abs(x) < widest);
  const edges = [...new Set([...whole, ...inside])].sort((a, b) => a - b);
  const rule = gaussLegendre(order);
  const [points, weights]: [number[], number[]] = [[], []];
  for (const [i, start] of edges.slice(0, -1).entries()) {
    const half = ((edges[i + 1] ?? start) - start) / 2;
    for (const { node, weight } of rule) {
      const x = start + half * (1 + node);
      points.push(x);
      weights.push(half * weight * normalPdf(x));
    }
  }
  return { points, weights };
}

/** Moments of f(x); `breaks` are the points between which f is smooth. */
export function normalMoments(f: (x: number) => number, breaks: readonly number[]): NormalMoments {
  const { points, weights } = quadrature(breaks, 16);
  return momentsOf(points.map(f), weights);
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
  const expectation = (g: (value: number) => number): number =>
    values.reduce((sum, value, i) => sum + (weights[i] ?? 0) * g(value), 0);
  const mean = expectation((value) => value);
  return {
    mean: rounded(mean),
    variance: rounded(expectation((value) => (value - mean) ** 2)),
    zeros: rounded(expectation((value) => (value === 0 ? 1 : 0))),
  };
}

/** To 12 decimals: the rest is the quadrature's rounding. */
const rounded = (value: number): number => Math.round(value * 1e12) / 1e12 + 0;
