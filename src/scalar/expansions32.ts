/**
 * Special functions in float32 arithmetic, for an argument that is exact: twice the lanes of float64 and shorter
 * polynomials. What they may be used in is decided by `float32Error`; the errors are in their rows, in ULP.
 */
import {
  bellShort,
  expm1TailShort,
  geluSlopeShort,
  logTailShort,
  normalTailShort,
  siluSlopeShort,
} from './coefficients.js';
import { clamp, horner, log1pOfUnit, polynomial } from './expansions.js';
import { apply, constant, type Expression } from './expression.js';
import { rangeOf } from './ranges.js';

/** log(2) in two parts; the first has 8 trailing zero bits, so that its product with an exponent is exact. */
const log2High = 0.693145751953125;
const log2Low = 1.428606765330187e-6;

/** Adding it leaves an integer, with the bias of float32's exponent, in the lowest bits. */
export const shift32 = 2 ** 23 + 2 ** 22 + 127;

/** The same of 2^64 times the power, which is normal where the power itself is not. */
export const shiftDown32 = shift32 + 64;

/** x = n log(2) + r with n = shifted - shift, and exp(r) - 1 = r + tail. */
function reduceByLog2(
  clamped: Expression,
  shift = shift32,
): { shifted: Expression; n: Expression; r: Expression; tail: Expression } {
  const shifted = clamped.mul(Math.fround(Math.LOG2E)).add(shift);
  const n = shifted.sub(shift);
  const r = clamped.sub(n.mul(log2High)).sub(n.mul(Math.fround(log2Low)));
  return { shifted, n, r, tail: tailOf(r) };
}

/** exp() of it is below 2^63. */
const largestModest = 43;

/** exp(r) - 1 - r for |r| <= log(2) / 2. */
const tailOf = (r: Expression): Expression => r.mul(r).mul(polynomial(r, expm1TailShort.map(Math.fround)));

/** 2^-150 and 2^128 are none of float32's normal numbers; up to 2^63 one power is enough. */
export function exp(x: Expression): Expression {
  const clamped = clamp(x, -104, 89);
  const isModest = rangeOf(clamped).high <= largestModest;
  const { shifted, n, r, tail } = reduceByLog2(clamped, isModest ? shiftDown32 : shift32);
  const sum = r.add(1);
  const lost = r.sub(sum.sub(1)); // what the rounding of 1 + r took away
  const grown = sum.add(lost.add(tail));
  return isModest ? apply('scaleDown32', grown, shifted) : apply('scaleFar32', grown, n);
}

/** Twice (2^(n-1) p + 2^(n-1) - 1/2), so that the power stays finite up to the largest result. */
export function expm1(x: Expression): Expression {
  const { shifted, r, tail } = reduceByLog2(clamp(x, -18, 89));
  const power = apply('scale32', 1, shifted.sub(1));
  return power.mul(r.add(tail)).add(power.sub(0.5)).mul(2);
}

/** Where it is 1 long since. */
export function sigmoid(x: Expression): Expression {
  const e = clamp(x, -104, largestModest).exp();
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

/**
 * 2^n (1 + tail) = exp(-z^2 / 2) for 0 <= z < 16 and shifted = n + shiftDown32, of z^2 = square - 2 n log(2) + ...: the exact square of what has 8 binary
 * places, and the rest.
 */
function bell(z: Expression): { shifted: Expression; tail: Expression } {
  const shift = 2 ** 15 + 2 ** 14;
  const high = z.add(shift).sub(shift);
  const square = high.mul(high);
  const shifted = square.mul(Math.fround(-0.5 * Math.LOG2E)).add(shiftDown32);
  const n = shifted.sub(shiftDown32);
  const reduced = square.add(n.mul(2 * log2High)).add(n.mul(2 * Math.fround(log2Low)));
  const r = reduced.add(z.sub(high).mul(z.add(high)));
  return { shifted, tail: r.mul(horner(r, bellShort)) };
}

/** |x|, where the density of the normal distribution does not vanish yet in float32. */
const deviation = (x: Expression): Expression => clamp(x.abs(), 0, 15.9);

const grown = (x: Expression, tail: Expression): Expression => x.add(x.mul(tail));

/** Polynomials are in z / (a + z), which keeps what is small exact, about the middle of its values. */
export function normalCdf(x: Expression): Expression {
  const z = deviation(x);
  const { shifted, tail } = bell(z);
  const sum = z.add(2.5);
  const lower = apply('scaleDown32', grown(horner(z.div(sum).sub(1 / 4), normalTailShort), tail).div(sum), shifted);
  return x.whereLess(0, lower, constant(1).sub(lower));
}

/** x Phi(x) = max(x, 0) - |x| Phi(-|x|). */
export function geluValue(x: Expression): Expression {
  const z = deviation(x);
  const { shifted, tail } = bell(z);
  const share = z.div(z.add(2.5));
  const missing = share.mul(horner(share.sub(1 / 4), normalTailShort));
  return x.max(0).sub(apply('scaleDown32', grown(missing, tail), shifted));
}

/** Left of 0 by its root as a factor; to the right what is missing to 1. */
export function geluSlope(x: Expression): Expression {
  const z = deviation(x);
  const { shifted, tail } = bell(z);
  const fromRoot = constant(0.7517915368080139).sub(z).add(-1.211444988769017e-8);
  const root = horner(z.div(z.add(3)).sub(7 / 16), geluSlopeShort).mul(fromRoot);
  const lower = apply('scaleDown32', grown(root, tail), shifted);
  return x.whereLess(0, lower, constant(1).sub(lower));
}

/**
 * Left of 0, with c the float32 next to exp(r), r the root, and u = -log(c) - |x|: e = exp(x) = c exp(u), and
 * 1 + x + e = u + c expm1(u) + (1 + c + log(c)), whose terms have one sign. Beside 0 a polynomial, which is more accurate.
 */
export function siluSlope(x: Expression): Expression {
  const [c, reciprocal, high] = [0.27846458554267883, 3.591120958328247, 1.278464436531067];
  const z = clamp(x.abs(), 0, 110);
  const u = constant(high).sub(z);
  const lost = constant(high).sub(u.add(z));
  const shifted = u.mul(Math.fround(Math.LOG2E)).add(shift32);
  const n = shifted.sub(shift32);
  const r = u.sub(n.mul(log2High)).add(lost.add(-4.74039225650813e-8).sub(n.mul(Math.fround(log2Low))));
  const tail = r.mul(-2).mul(horner(r.mul(-2), bellShort)); // exp(r) - 1
  const power = apply('scale32', 1, shifted.max(shift32 - 126));
  const [e, expm1] = [grown(power, tail), power.sub(1).add(power.mul(tail))]; // exp(u) and expm1(u)
  const numerator = u.add(lost.add(1.4901161193847656e-7)).add(expm1.mul(c));
  const quotient = numerator.div(e.mul(e.mul(c)).add(e.add(e)).add(reciprocal));
  const lower = apply('scaleDown32', grown(quotient, tail), shifted.add(shiftDown32 - shift32));
  const near = x.mul(horner(x.mul(x), siluSlopeShort)).add(0.5);
  return z.whereLess(0.75, near, x.whereLess(0, lower, constant(1).sub(lower)));
}

export const sign = (x: Expression): Expression => x.whereLess(0, -1, constant(0).whereLess(x, 1, x));
