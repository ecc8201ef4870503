/**
 * What a device without special functions computes in their place: expressions in arithmetic, selection and
 * powers of two. They are evaluated in float64 and hold about 2^-50, so that float32 results are within an ULP
 * even next to a root of a derivative, where everything but the last bits cancels.
 */
import { erfRatio, expm1Tail, log1pTail, logTail, millsRatio } from './coefficients.js';
import { apply, constant, type Expression } from './expression.js';
import { rangeOf } from './ranges.js';

/** Horner's scheme, lowest power first; of long ones for even and odd powers apart, which need not wait for each other. */
export function polynomial(x: Expression, coefficients: readonly number[]): Expression {
  if (coefficients.length <= 5) return horner(x, coefficients);
  const [even, odd] = [0, 1].map((parity) => coefficients.filter((_, i) => i % 2 === parity));
  const square = x.mul(x);
  return horner(square, odd ?? [])
    .mul(x)
    .add(horner(square, even ?? []));
}

export const horner = (x: Expression, coefficients: readonly number[]): Expression =>
  coefficients.reduceRight<Expression | undefined>(
    (sum, c) => (sum === undefined ? constant(c) : sum.mul(x).add(c)),
    undefined,
  ) ?? constant(0);

/** log(2) in two parts; the first has 21 trailing zero bits, so that its product with an exponent is exact. */
const log2High = 0.6931471803691238;
const log2Low = 1.9082149292705877e-10;

/** Adding it leaves an integer, with the bias of float64's exponent, in the lowest bits. */
export const shift64 = 2 ** 52 + 2 ** 51 + 1023;

/** `x` where its range is within the bounds, else clamped to them. */
export function clamp(x: Expression, lowest: number, highest: number): Expression {
  const { low, high } = rangeOf(x);
  const above = low >= lowest ? x : x.max(lowest);
  return high <= highest ? above : above.min(highest);
}

/** x = n log(2) + r with integral n = shifted - shift64 and |r| <= log(2) / 2; x is clamped to where float64 stays normal. */
function reduceByLog2(x: Expression): { shifted: Expression; r: Expression } {
  const clamped = clamp(x, -708, 709);
  const shifted = clamped.mul(Math.LOG2E).add(shift64);
  const n = shifted.sub(shift64);
  return { shifted, r: clamped.sub(n.mul(log2High)).sub(n.mul(log2Low)) };
}

const timesPowerOf2 = (x: Expression | number, shifted: Expression): Expression => apply('scale', x, shifted);

/** exp(r) - 1 for |r| <= log(2) / 2. */
const expm1Reduced = (r: Expression): Expression => r.add(r.mul(r).mul(polynomial(r, expm1Tail)));

export function exp(x: Expression): Expression {
  const { shifted, r } = reduceByLog2(x);
  return timesPowerOf2(expm1Reduced(r).add(1), shifted);
}

export function expm1(x: Expression): Expression {
  const { shifted, r } = reduceByLog2(x);
  const power = timesPowerOf2(1, shifted);
  return power.mul(expm1Reduced(r)).add(power.sub(1));
}

/** For positive, normal float64 x; 0 gives -infinity, a negative x and NaN give NaN. */
export function log(x: Expression): Expression {
  const exponent = apply('exponent', x);
  const mantissa = apply('mantissa', x);
  const high = (y: Expression | number, otherwise: Expression | number): Expression =>
    constant(Math.SQRT2).whereLess(mantissa, y, otherwise);
  const m = high(mantissa.mul(0.5), mantissa);
  const n = high(exponent.add(1), exponent);
  const s = m.sub(1).div(m.add(1));
  const square = s.mul(s);
  const series = s.mul(2).add(s.mul(square).mul(polynomial(square, logTail)));
  const finite = n.mul(log2High).add(n.mul(log2Low).add(series));
  const positive = x.whereLess(Number.POSITIVE_INFINITY, finite, x);
  return constant(0).whereLess(x, positive, x.whereLess(0, Number.NaN, x.sub(Number.POSITIVE_INFINITY)));
}

/** By 2 artanh(x / (2 + x)) up to 1; else by Kahan's correction: log(u) (x / (u - 1)) with u = 1 + x rounded. */
export function log1p(x: Expression): Expression {
  const { low, high } = rangeOf(x);
  if (low >= 0 && high <= 1) return log1pOfUnit(x, log1pTail);
  const u = x.add(1);
  const correction = x.sub(u.sub(1)).div(u);
  // At -1 the correction would be 0 / 0, and at infinity a difference of infinities.
  const needed = constant(0).whereLess(u, u.whereLess(Number.POSITIVE_INFINITY, correction, 0), 0);
  return log(u).add(needed);
}

/** log(1 + e) for 0 <= e <= 1 as 2 artanh(e / (2 + e)). */
export function log1pOfUnit(e: Expression, tail: readonly number[]): Expression {
  const s = e.div(e.add(2));
  const square = s.mul(s);
  return s.mul(2).add(s.mul(square).mul(polynomial(square, tail)));
}

/** exp(x) where its square root and one more than it stay safe divisors. */
const boundedExp = (x: Expression): Expression => clamp(x, -700, 700).exp();

/** -x for one that is written as a negation or a negative multiple, so that both share what they are made of. */
function opposite({ node }: Expression): Expression | undefined {
  if (node.kind !== 'apply') return undefined;
  const [a, b] = node.operands;
  if (node.primitive === 'neg') return a;
  const isNegative = node.primitive === 'mul' && a?.value !== undefined && a.value < 0;
  return isNegative && b !== undefined ? constant(-(a.value ?? 0)).mul(b) : undefined;
}

/** Without cancellation on either side: the exponential is accurate at every size. */
export function sigmoid(x: Expression): Expression {
  const negated = opposite(x);
  const e = boundedExp(negated ?? x);
  return (negated === undefined ? e : constant(1)).div(e.add(1));
}

export function logisticPdf(x: Expression): Expression {
  const e = boundedExp(opposite(x) ?? x);
  return e.div(e.add(1)).mul(constant(1).div(e.add(1)));
}

export function tanh(x: Expression): Expression {
  const t = clamp(x.mul(2), -700, 700).expm1();
  return t.div(t.add(2));
}

export const softplus = (x: Expression): Expression => x.max(0).add(x.abs().neg().exp().log1p());

/** |x|, where the density stays a normal number. */
const deviation = (x: Expression): Expression => x.abs().min(37.5);

export function normalPdf(x: Expression): Expression {
  const z = deviation(x);
  return z
    .mul(z)
    .mul(-0.5)
    .exp()
    .mul(1 / Math.sqrt(2 * Math.PI));
}

/** phi(z) times Mills' ratio for the tail, its complement for the other side. */
export function normalCdf(x: Expression): Expression {
  const z = deviation(x);
  const reciprocal = constant(1).div(z.add(5)); // two quotients by one division
  const q = z.sub(5).mul(reciprocal);
  const tail = x.normalPdf().mul(polynomial(q, millsRatio)).mul(reciprocal);
  return x.whereLess(0, tail, constant(1).sub(tail));
}

/** x, where distributions have not reached their limits: the product with an infinity would be none. */
const bounded = (x: Expression): Expression => clamp(x, -1000, 1000);

export const geluValue = (x: Expression): Expression => x.max(-1000).mul(x.normalCdf());

export const geluSlope = (x: Expression): Expression => x.normalCdf().add(bounded(x).mul(x.normalPdf()));

export const siluSlope = (x: Expression): Expression => x.sigmoid().add(bounded(x).mul(x.logisticPdf()));

export function erf(x: Expression): Expression {
  const near = x.mul(polynomial(x.mul(x), erfRatio));
  const far = constant(1).sub(x.abs().mul(-Math.SQRT2).normalCdf().mul(2));
  return x.abs().whereLess(1, near, x.whereLess(0, far.neg(), far));
}

/** Below 2^-8 the series; above it the subtraction loses no more than 17 of float64's 53 bits. */
export function tanhResidual(x: Expression): Expression {
  const square = x.mul(x);
  const series = x.mul(square).mul(polynomial(square, [1 / 3, -2 / 15, 17 / 315, -62 / 2835]));
  return x.abs().whereLess(2 ** -8, series, x.sub(x.tanh()));
}

export const sign = (x: Expression): Expression => x.whereLess(0, -1, constant(0).whereLess(x, 1, x));

/** A negative base has the sign that a whole exponent gives it, and no value for another. */
export function pow(x: Expression, y: Expression): Expression {
  const size = y.mul(x.abs().log()).exp();
  const isOdd = y.sub(y.div(2).floor().mul(2));
  const ofNegative = y.floor().whereLess(y, Number.NaN, constant(0).whereLess(isOdd, size.neg(), size));
  const isZero = (then: number, otherwise: Expression): Expression =>
    y.abs().whereLess(Number.MIN_VALUE, then, otherwise);
  return isZero(1, x.whereLess(0, ofNegative, size));
}

export function rootSum(u: Expression, b: Expression): Expression {
  const root = u.mul(u).add(b).sqrt();
  return u.whereLess(0, b.div(root.sub(u)), root.add(u));
}
