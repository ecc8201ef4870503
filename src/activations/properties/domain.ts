import { type Expression, reachable } from '../../scalar/expression.js';
import { interpreter } from '../../scalar/interpret.js';
import { above, areNeighbours, below, middle } from './floats.js';

/** An end of an interval; `included` where the function has a finite value there. */
export interface End {
  readonly x: number;
  readonly included: boolean;
}

/** Numbers from one end to the other, where a function has a value at each. */
export interface Interval {
  readonly from: End;
  readonly to: End;
}

/** Every real number. */
const line: Interval = {
  from: { x: Number.NEGATIVE_INFINITY, included: false },
  to: { x: Number.POSITIVE_INFINITY, included: false },
};

export const isWhole = ([first, ...others]: readonly Interval[]): boolean =>
  others.length === 0 && first?.from.x === line.from.x && first.to.x === line.to.x;

export const contains = ({ from, to }: Interval, x: number): boolean =>
  (x > from.x || (from.included && x === from.x)) && (x < to.x || (to.included && x === to.x));

/** A number, and what becomes of it. */
interface Place {
  readonly x: number;
  readonly value: number;
  /** The function has no value there: a step of it, such as log(-1) or 0/0, has none for finite numbers. */
  readonly outside: boolean;
}

/** NaN that comes from an overflow, as infinity less infinity, puts no number outside. */
function prober(expression: Expression): (x: number) => Place {
  const steps = reachable([expression]);
  const position = new Map(steps.map((step, i) => [step, i]));
  const operands = steps.map((step) => step.operands.map((operand) => position.get(operand) ?? 0));
  const evaluate = interpreter(steps, ['x']);
  return (x) => {
    const values = evaluate([x]);
    const fails = (own: readonly number[], i: number): boolean =>
      own.length > 0 && Number.isNaN(values[i]) && own.every((operand) => Number.isFinite(values[operand]));
    const value = values.at(-1) ?? Number.NaN;
    return { x, value, outside: Number.isNaN(value) && operands.some(fails) };
  };
}

/** The intervals on which a function of x has a value, as far as these points tell them apart. */
export function domainOf(expression: Expression, points: readonly number[]): Interval[] {
  const at = prober(expression);
  const end = (x: number): End => ({ x, included: Number.isFinite(at(x).value) });
  const places = points.map(at);
  const intervals: Interval[] = [];
  let from: End | undefined = places[0]?.outside === true ? undefined : line.from;
  for (const [i, place] of places.entries()) {
    const [before, next] = [places[i - 1], places[i + 1]];
    if (next === undefined) break;
    if (place.outside && !next.outside) from = end(boundary(next, place, at));
    const to =
      !place.outside && next.outside ? boundary(place, next, at) : isPole(before, place, next) ? place.x : undefined;
    if (from === undefined || to === undefined) continue;
    intervals.push({ from, to: end(to) });
    from = next.outside ? undefined : end(to);
  }
  if (from !== undefined) intervals.push({ from, to: line.to });
  return intervals.filter((interval) => interval.from.x < interval.to.x);
}

const isPole = (before: Place | undefined, place: Place, after: Place): boolean =>
  Math.abs(place.value) === Number.POSITIVE_INFINITY && Number.isFinite(before?.value) && Number.isFinite(after.value);

/** The last number inside, or a first one outside that is alone: the hole of x/x is 0, not what lies beside. */
function boundary(inside: Place, outside: Place, at: (x: number) => Place): number {
  let [near, far] = [inside.x, outside.x];
  while (!areNeighbours(Math.min(near, far), Math.max(near, far))) {
    const center = at(middle(Math.min(near, far), Math.max(near, far)));
    if (center.outside) far = center.x;
    else near = center.x;
  }
  return at(near < far ? above(far) : below(far)).outside ? near : far;
}

/** What a function tends to at an end that it does not include, from inside: `side` is 1 at a lower end, -1 at an upper. */
export function approach(h: (x: number) => number, x: number, side: 1 | -1): number {
  const beside = h(side === 1 ? above(x) : below(x));
  if (Math.abs(h(x)) === Number.POSITIVE_INFINITY) return Math.sign(beside) * Number.POSITIVE_INFINITY;
  return Math.abs(beside) < 2 ** -100 ? 0 : beside;
}
