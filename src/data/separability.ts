import { extent } from '../base/extent.js';
import { feasiblePoint } from './linear-program.js';

/** A hyperplane between two classes. */
export interface Separation {
  readonly separable: true;
  /** weight · x + bias is at least `margin` for the second class and at most -margin for the first; |weight| is 1. */
  readonly weight: readonly number[];
  readonly bias: number;
  readonly margin: number;
}

/** Why there is no hyperplane: the convex hulls of the classes meet. */
export interface Entanglement {
  readonly separable: false;
  /** A point of both hulls. */
  readonly common: readonly number[];
  /** The examples of the first and of the second class that it is a mix of. */
  readonly mixed: readonly [first: readonly number[], second: readonly number[]];
}

type Points = readonly ArrayLike<number>[];

/**
 * Decides by a linear program whether a hyperplane parts two classes. One does unless their convex hulls meet: the
 * program looks for shares of the examples of each class (at least 0, adding to 1) that mix to the same point, and where
 * there are none its prices are a hyperplane.
 * @param points of one length, of both classes
 */
export function separability(points: Points, isSecond: readonly boolean[]): Separation | Entanglement {
  const width = points[0]?.length ?? 0;
  const scales = Array.from({ length: width }, (_, j) => scaleOf(points.map((point) => point[j] ?? 0)));
  // A column for each example: its coordinates, signed by its class, and in which of the two sums to 1 it counts.
  const columns = points.map((point, i) => {
    const own = scales.map(({ center, size }, j) => ((point[j] ?? 0) - center) / size);
    return isSecond[i] === true ? [...own.map((x) => -x), 0, 1] : [...own, 1, 0];
  });
  const { point: shares, prices } = feasiblePoint(columns, [...scales.map(() => 0), 1, 1]);
  const direction = scales.map(({ size }, j) => (prices[j] ?? 0) / size);
  const separation = between(points, isSecond, direction);
  if (shares === undefined && separation !== undefined) return separation;
  const used = (second: boolean): number[] =>
    points.flatMap((_, i) => ((shares?.[i] ?? 0) > 1e-9 && (isSecond[i] === true) === second ? [i] : []));
  const [first, second] = [used(false), used(true)];
  const common = scales.map((_, j) => first.reduce((sum, i) => sum + (shares?.[i] ?? 0) * (points[i]?.[j] ?? 0), 0));
  return { separable: false, common, mixed: [first, second] };
}

/** Coordinates of size 1 around 0 keep the program's numbers of one size. */
function scaleOf(values: readonly number[]): { readonly center: number; readonly size: number } {
  const center = values.reduce((sum, value) => sum + value, 0) / values.length;
  const [low, high] = extent(values);
  return { center, size: Math.max(center - low, high - center) || 1 };
}

/** The hyperplane of that direction midway between the classes, where they lie on its two sides. */
function between(points: Points, isSecond: readonly boolean[], direction: readonly number[]): Separation | undefined {
  const length = Math.hypot(...direction);
  const weight = direction.map((value) => value / length);
  const places = points.map((point) => weight.reduce((sum, value, j) => sum + value * (point[j] ?? 0), 0));
  const [high, low] = [
    places.reduce((most, place, i) => (isSecond[i] === true ? most : Math.max(most, place)), Number.NEGATIVE_INFINITY),
    places.reduce(
      (least, place, i) => (isSecond[i] === true ? Math.min(least, place) : least),
      Number.POSITIVE_INFINITY,
    ),
  ];
  const margin = (low - high) / 2;
  return margin > 0 ? { separable: true, weight, bias: -(low + high) / 2, margin } : undefined;
}
