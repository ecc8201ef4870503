import type { Formula } from '../activations/kinds.js';
import { kinksOf } from '../activations/properties/discontinuities.js';
import { scan } from '../activations/properties/scan.js';
import { SluiceError } from '../base/errors.js';
import { substitute, variable } from '../scalar/expression.js';

/** A curve's points; values are NaN where the line has a gap, at a jump. */
export interface Curve {
  /** The formula's name; a gate is drawn over its gate, at value 1. */
  readonly label: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** The first derivative. */
  readonly dy: readonly number[];
  /** The second derivative. */
  readonly d2y: readonly number[];
}

export const curveParts = ['y', 'dy', 'd2y'] as const satisfies readonly (keyof Curve)[];
export type CurvePart = (typeof curveParts)[number];

/**
 * A formula and its derivatives over a range, at evenly spaced points and beside every jump.
 * @throws SluiceError `argument` for an empty range or a row function, which is no function of one number.
 */
export function curveOver(formula: Formula, [from, to]: readonly [number, number], points = 401): Curve {
  if (formula.kind === 'row') {
    throw new SluiceError('argument', {
      rule: 'a plot shows a function of one number',
      received: formula.name,
      remedy: `${formula.name} depends on its whole row: see sluice activations eval.`,
    });
  }
  if (!(Number.isFinite(from) && Number.isFinite(to) && from < to)) {
    throw new SluiceError('argument', {
      rule: 'a range goes from a number to a larger one',
      received: `${from}:${to}`,
      remedy: 'For example -5:5.',
    });
  }
  const isGate = formula.kind === 'gate';
  const expression = formula.of(...formula.inputs.map(variable));
  const scanned = scan(isGate ? substitute(expression, { gate: variable('x'), value: 1 }) : expression);
  const gaps = kinksOf(scanned).map(({ x }) => x);
  const width = (to - from) / (points - 1);
  const even = Array.from({ length: points }, (_, i) => (i === points - 1 ? to : from + i * width));
  const beside = gaps.flatMap((x) => [x - 1e-6 * width, x, x + 1e-6 * width]);
  const x = [...new Set([...even, ...beside])].filter((at) => at >= from && at <= to).sort((a, b) => a - b);
  const samples = x.map(scanned.at);
  const own = new Set(gaps);
  const gapped = (value: number, at: number): number => (own.has(at) ? Number.NaN : value);
  const jumps = new Set(kinksOf(scanned).flatMap((kink) => (kink.jump === 0 ? [] : [kink.x])));
  return {
    label: isGate ? `${formula.name}(x, 1)` : formula.name,
    x,
    y: samples.map(({ value, x: at }) => (jumps.has(at) ? Number.NaN : value)),
    dy: samples.map(({ slope, x: at }) => gapped(slope, at)),
    d2y: samples.map(({ curvature, x: at }) => gapped(curvature, at)),
  };
}

/** The range of the finite values of a part, with a margin; never empty. */
export function extentOf(curves: readonly Curve[], part: CurvePart): [number, number] {
  const values = curves.flatMap((curve) => curve[part]).filter(Number.isFinite);
  const [low, high] = [Math.min(0, ...values), Math.max(0, ...values)];
  const margin = 0.05 * (high - low || 1);
  return [low - margin, high + margin];
}
