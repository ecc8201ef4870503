/**
 * Special functions in float32 arithmetic, for an argument that is exact: twice the lanes of float64 and shorter
 * polynomials. What they may be used in is decided by `float32Error`; the errors are in their rows, in ULP.
 */
import { expm1TailShort, logTailShort } from './coefficients.js';
import { polynomial } from './expansions.js';
import { apply, constant, type Expression } from './expression.js';

/** log(2) in two parts; the first has 8 trailing zero bits, so that its product with an exponent is exact. */
const log2High = 0.693145751953125;
const log2Low = 1.428606765330187e-6;

const scale = (x: Expression | number, n: Expression): Expression => apply('scale32', x, n);

/** x = n log(2) + r, and exp(r) - 1 = r + tail. */
function reduceByLog2(
  x: Expression,
  lowest: number,
  highest: number,
): { n: Expression; r: Expression; tail: Expression } {
  const clamped = x.max(lowest).min(highest);
  const n = clamped.mul(Math.fround(Math.LOG2E)).round();
  const r = clamped.sub(n.mul(log2High)).sub(n.mul(Math.fround(log2Low)));
  return { n, r, tail: r.mul(r).mul(polynomial(r, expm1TailShort.map(Math.fround))) };
}

/** The power of two comes in two factors, since 2^-150 and 2^128 are none of float32's normal numbers. */
export function exp(x: Expression): Expression {
  const { n, r, tail } = reduceByLog2(x, -104, 89);
  const sum = r.add(1);
  const lost = r.sub(sum.sub(1)); // what the rounding of 1 + r took away
  const half = n.mul(0.5).floor();
  return scale(scale(sum.add(lost.add(tail)), half), n.sub(half));
}

/** Twice (2^(n-1) p + 2^(n-1) - 1/2), so that the power stays finite up to the largest result. */
export function expm1(x: Expression): Expression {
  const { n, r, tail } = reduceByLog2(x, -18, 89);
  const power = scale(1, n.sub(1));
  return power.mul(r.add(tail)).add(power.sub(0.5)).mul(2);
}

export function sigmoid(x: Expression): Expression {
  const e = exp(x.abs().neg());
  return x.whereLess(0, e, 1).div(e.add(1));
}

export function logisticPdf(x: Expression): Expression {
  const e = exp(x.abs().neg());
  return e.div(e.mul(e.add(2)).add(1));
}

export function tanh(x: Expression): Expression {
  const t = expm1(x.abs().mul(-2));
  const positive = t.neg().div(t.add(2));
  return x.whereLess(0, positive.neg(), positive);
}

/** log(1 + e) for 0 <= e <= 1 as 2 artanh(e / (2 + e)). */
function log1pOfUnit(e: Expression): Expression {
  const s = e.div(e.add(2));
  const square = s.mul(s);
  return s.mul(2).add(s.mul(square).mul(polynomial(square, logTailShort.map(Math.fround))));
}

export const softplus = (x: Expression): Expression => x.max(0).add(log1pOfUnit(exp(x.abs().neg())));

export const sign = (x: Expression): Expression => x.whereLess(0, -1, constant(0).whereLess(x, 1, x));
