import { type Expression, fact } from './expression.js';
import type { Primitive } from './primitives.js';

/** The numbers that a value is among, infinities included, where it is not NaN. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

const infinite = Number.POSITIVE_INFINITY;
const everything: Range = { low: -infinite, high: infinite };
const between = (low: number, high: number): Range =>
  Number.isNaN(low) || Number.isNaN(high) ? everything : { low, high };

/** Bounds of an expression whatever its variables are: what an expansion need not provide for. */
export const rangeOf = fact<Range>(({ node }, operands) => {
  if (node.kind === 'constant') return between(node.value, node.value);
  if (node.kind !== 'apply') return everything;
  const [a = everything, b = everything] = operands;
  if (node.primitive === 'mul' && node.operands[0] === node.operands[1]) return squared(a);
  return rules[node.primitive]?.(a, b, ...operands.slice(2)) ?? everything;
});

/** Whether a float64 quotient by it, and all it is made of, stays among the normal numbers. */
export function isSafeDivisor(divisor: Expression): boolean {
  const { low, high } = rangeOf(divisor);
  return low >= 2 ** -1000 && high <= 2 ** 1015;
}

const hull = (...ranges: readonly Range[]): Range => ({
  low: Math.min(...ranges.map(({ low }) => low)),
  high: Math.max(...ranges.map(({ high }) => high)),
});

const squared = ({ low, high }: Range): Range => {
  const [small, large] = [Math.min(Math.abs(low), Math.abs(high)), Math.max(Math.abs(low), Math.abs(high))];
  return { low: low < 0 && high > 0 ? 0 : small * small, high: large * large };
};

/** 0 times infinity is NaN, which bounds say nothing about. */
const product = (a: number, b: number): number => (a === 0 || b === 0 ? 0 : a * b);

const rising =
  (f: (x: number) => number) =>
  ({ low, high }: Range): Range =>
    between(f(low), f(high));
const within = (low: number, high: number) => (): Range => ({ low, high });

const rules: Partial<Record<Primitive, (...operands: Range[]) => Range>> = {
  add: (a, b) => between(a.low + b.low, a.high + b.high),
  sub: (a, b) => between(a.low - b.high, a.high - b.low),
  mul: (a, b) => {
    const corners = [a.low, a.high].flatMap((x) => [product(x, b.low), product(x, b.high)]);
    return { low: Math.min(...corners), high: Math.max(...corners) };
  },
  div: (a, b) => {
    if (!(b.low > 0) || b.high === infinite) return everything;
    const corners = [a.low / b.low, a.low / b.high, a.high / b.low, a.high / b.high];
    return { low: Math.min(...corners), high: Math.max(...corners) };
  },
  neg: ({ low, high }) => ({ low: -high, high: -low }),
  abs: ({ low, high }) => ({
    low: low < 0 && high > 0 ? 0 : Math.min(Math.abs(low), Math.abs(high)),
    high: Math.max(Math.abs(low), Math.abs(high)),
  }),
  min: (a, b) => ({ low: Math.min(a.low, b.low), high: Math.min(a.high, b.high) }),
  max: (a, b) => ({ low: Math.max(a.low, b.low), high: Math.max(a.high, b.high) }),
  select: (_a, _b, then = everything, otherwise = everything) => hull(then, otherwise),
  carryNan: (_, y) => y,
  sqrt: ({ low, high }) => ({ low: Math.sqrt(Math.max(low, 0)), high: Math.sqrt(Math.max(high, 0)) }),
  signum: within(-1, 1),
  exp: rising(Math.exp),
  expm1: rising(Math.expm1),
  sigmoid: within(0, 1),
  logisticPdf: within(0, 0.25),
  tanh: within(-1, 1),
  softplus: ({ high }) => ({ low: 0, high: Math.max(high, 0) + 1 }),
  erf: within(-1, 1),
  normalCdf: within(0, 1),
  normalPdf: within(0, 0.4),
  mantissa: within(1, 2),
};
