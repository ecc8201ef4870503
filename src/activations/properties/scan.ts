import { derivative } from '../../scalar/differentiate.js';
import { type Expression, reachable } from '../../scalar/expression.js';
import { type Evaluator, interpreter } from '../../scalar/interpret.js';
import { simplify } from '../../scalar/simplify.js';
import { contains, domainOf, type Interval } from './domain.js';
import { above, areNeighbours, below, middle } from './floats.js';

/** A function of x with its first two derivatives, known at points that leave no branch of its formula out. */
export interface Scan {
  /** Value, slope and curvature at x. */
  readonly at: (x: number) => Sample;
  /** Where it has a value, in rising order. */
  readonly domain: readonly Interval[];
  /** Inside the domain, in rising order. */
  readonly samples: readonly Sample[];
  /** Where a condition in the formula changes sides, and where the domain ends. */
  readonly breaks: readonly number[];
  /** The samples between one break and the next, in order: each piece is one smooth formula. */
  readonly pieces: readonly (readonly Sample[])[];
}

export interface Sample {
  readonly x: number;
  readonly value: number;
  readonly slope: number;
  readonly curvature: number;
}

const step = 1 / 32;

/** Every 1/32 up to 16, then four to the octave up to the largest float32, and octaves down to 2^-64. */
function grid(): number[] {
  const positive: number[] = [];
  for (let power = -64; power < -5; power++) positive.push(2 ** power);
  for (let x = step; x <= 16; x += step) positive.push(x);
  for (let quarter = 4 * 4 + 1; quarter <= 4 * 127; quarter++) positive.push(2 ** (quarter / 4));
  return [...positive.map((x) => -x).reverse(), 0, ...positive];
}

/** Scans a formula in x alone. */
export function scan(expression: Expression): Scan {
  const value = simplify(expression);
  const slope = derivative(expression, 'x');
  const evaluate = interpreter([value, slope, derivative(slope, 'x')], ['x']);
  const at = (x: number): Sample => {
    const [y = Number.NaN, first = Number.NaN, second = Number.NaN] = evaluate([x]);
    // A derivative may have a value where its function has none, as 1/x has beside log(x).
    return Number.isNaN(y) ? { x, value: y, slope: y, curvature: y } : { x, value: y, slope: first, curvature: second };
  };
  const seeds = constantsOf([value, slope]);
  const base = sorted([...grid(), ...seeds]);
  const domain = domainOf(value, base);
  const ends = domain.flatMap(({ from, to }) => [from.x, to.x]).filter(Number.isFinite);
  const breaks = sorted([...branchPoints([expression, value, slope], base), ...ends]);
  const points = sorted([...base, ...breaks.flatMap((x) => [below(x), x, above(x)])]);
  const inside = points.filter((x) => domain.some((interval) => contains(interval, x)));
  const samples = inside.map(at).filter((sample) => !Number.isNaN(sample.value));
  const pieces: Sample[][] = [[]];
  for (const sample of samples) {
    if (breaks.includes(sample.x)) pieces.push([]);
    else pieces.at(-1)?.push(sample);
  }
  return { at, domain, samples, breaks, pieces };
}

const sorted = (values: readonly number[]): number[] => [...new Set(values.map((x) => x + 0))].sort((a, b) => a - b);

/** Numbers that the formula names: a branch may begin at one, however far out. */
function constantsOf(roots: readonly Expression[]): number[] {
  const values = reachable(roots).flatMap(({ value }) => (value === undefined ? [] : [value, -value]));
  return values.filter((value) => Math.abs(value) < 2 ** 127);
}

/** The roots of every condition on which the formula branches, each to the last bit. */
function branchPoints(roots: readonly Expression[], points: readonly number[]): number[] {
  const conditions = [...new Set(reachable(roots).flatMap(conditionOf))];
  const signs = interpreter(conditions, ['x']);
  const rows = points.map((x) => signs([x]));
  const found: number[] = [];
  conditions.forEach((_, c) => {
    for (let i = 0; i < points.length; i++) {
      const [here, next] = [rows[i]?.[c] ?? 0, rows[i + 1]?.[c] ?? Number.NaN];
      const x = points[i] ?? 0;
      if (here === 0 && (next !== 0 || rows[i - 1]?.[c] !== 0)) found.push(x);
      else if (here * next < 0) found.push(rootBetween(signs, c, x, points[i + 1] ?? x));
    }
  });
  return sorted(found);
}

function conditionOf({ node }: Expression): Expression[] {
  if (node.kind !== 'apply') return [];
  const [a, b] = node.operands;
  if (a === undefined) return [];
  if (node.primitive === 'abs' || node.primitive === 'signum') return [a];
  return b !== undefined && ['select', 'min', 'max'].includes(node.primitive) ? [a.sub(b)] : [];
}

function rootBetween(signs: Evaluator, condition: number, from: number, to: number): number {
  const at = (x: number): number => signs([x])[condition] ?? 0;
  const sign = Math.sign(at(from));
  let [low, high] = [from, to];
  while (!areNeighbours(low, high)) {
    const x = middle(low, high);
    const here = at(x);
    if (here === 0) return x;
    if (Math.sign(here) === sign) low = x;
    else high = x;
  }
  return Math.abs(at(low)) < Math.abs(at(high)) ? low : high;
}
