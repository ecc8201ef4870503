/**
 * Special functions in float32 arithmetic, for an argument that is exact: twice the lanes of float64 and shorter
 * polynomials. What they may be used in is decided by `float32Error`; the errors are in their rows, in ULP.
 */
import { expm1TailShort, logTailShort } from './coefficients.js';
import { clamp, log1pOfUnit, polynomial } from './expansions.js';
import { apply, constant, type Expression } from './expression.js';

/** log(2) in two parts; the first has 8 trailing zero bits, so that its product with an exponent is exact. */
const log2High = 0.693145751953125;
const log2Low = 1.428606765330187e-6;

/** Adding it leaves an integer, with the bias of float32's exponent, in the lowest bits. */
export const shift32 = 2 ** 23 + 2 ** 22 + 127;

/** x = n log(2) + r with n = shifted - shift32, and exp(r) - 1 = r + tail. */
function reduceByLog2(
  x: Expression,
  lowest: number,
  highest: number,
): { shifted: Expression; r: Expression; tail: Expression } {
  const clamped = clamp(x, lowest, highest);
  const shifted = clamped.mul(Math.fround(Math.LOG2E)).add(shift32);
  const n = shifted.sub(shift32);
  const r = clamped.sub(n.mul(log2High)).sub(n.mul(Math.fround(log2Low)));
  return { shifted, r, tail: r.mul(r).mul(polynomial(r, expm1TailShort.map(Math.fround))) };
}

/** 2^-150 and 2^128 are none of float32's normal numbers. */
export function exp(x: Expression): Expression {
  const { shifted, r, tail } = reduceByLog2(x, -104, 89);
  const sum = r.add(1);
  const lost = r.sub(sum.sub(1)); // what the rounding of 1 + r took away
  return apply('scaleFar32', sum.add(lost.add(tail)), shifted.sub(shift32));
}

/** Twice (2^(n-1) p + 2^(n-1) - 1/2), so that the power stays finite up to the largest result. */
export function expm1(x: Expression): Expression {
  const { shifted, r, tail } = reduceByLog2(x, -18, 89);
  const power = apply('scale32', 1, shifted.sub(1));
  return power.mul(r.add(tail)).add(power.sub(0.5)).mul(2);
}

/** 1 + e stays finite. */
export function sigmoid(x: Expression): Expression {
  const e = clamp(x, -104, 88).exp();
  return e.div(e.add(1));
}

export function logisticPdf(x: Expression): Expression {
  const e = x.abs().neg().exp();
  return e.div(e.mul(e.add(2)).add(1));
}

export function tanh(x: Expression): Expression {
  const t = clamp(x.mul(2), -18, 18).expm1();
  return t.div(t.add(2));
}

export const softplus = (x: Expression): Expression =>
  x.max(0).add(log1pOfUnit(x.abs().neg().exp(), logTailShort.map(Math.fround)));

export const sign = (x: Expression): Expression => x.whereLess(0, -1, constant(0).whereLess(x, 1, x));
