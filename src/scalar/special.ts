/** Special functions in float64 that Math lacks: plain, clear and slow; the truth of the reference device. */

export function roundHalfEven(x: number): number {
  const nearest = Math.round(x);
  return nearest - x === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

/** floor(log2(x)) for positive, normal x, from its bits. */
export function exponent(x: number): number {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, x);
  return ((view.getUint32(0) >>> 20) & 0x7ff) - 1023;
}

export function sigmoid(x = 0): number {
  const e = Math.exp(-Math.abs(x));
  return (x < 0 ? e : 1) / (1 + e);
}

export const softplus = (x = 0): number => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));

export const normalPdf = (x = 0): number => Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);

/** Phi(-z) for z >= 0: the complement of the series below 3, Laplace's continued fraction above. */
function normalTail(z: number): number {
  if (z < 3) return 0.5 - normalPdf(z) * normalSeries(z);
  let fraction = 0;
  for (let k = 200; k >= 1; k--) fraction = k / (z + fraction);
  return normalPdf(z) / (z + fraction);
}

/** (Phi(z) - 1/2) / phi(z) = z + z^3/3 + z^5/(3 5) + ...: all terms positive. */
function normalSeries(z: number): number {
  let term = z;
  let sum = z;
  for (let k = 3; Math.abs(term) > Math.abs(sum) * 2 ** -60; k += 2) {
    term *= (z * z) / k;
    sum += term;
  }
  return sum;
}

export function normalCdf(x = 0): number {
  if (Number.isNaN(x)) return x;
  const tail = normalTail(Math.abs(x));
  return x < 0 ? tail : 1 - tail;
}

export function erf(x = 0): number {
  if (Number.isNaN(x)) return x;
  const z = Math.abs(x) * Math.SQRT2;
  const value = z < 2 ? 2 * normalPdf(z) * normalSeries(z) : 1 - 2 * normalTail(z);
  return x < 0 ? -value : value;
}

/** x - tanh(x): the series x^3/3 - 2x^5/15 + ... where the subtraction would cancel. */
export function tanhResidual(x = 0): number {
  const w = x * x;
  if (w > 1 / 64) return x - Math.tanh(x);
  const series =
    1 / 3 + w * (-2 / 15 + w * (17 / 315 + w * (-62 / 2835 + w * (1382 / 155925 - (w * 21844) / 6081075))));
  return x * w * series;
}

/** u + sqrt(u^2 + b) for b > 0, by its conjugate where the two would cancel. */
export function rootSum(u = 0, b = 0): number {
  const root = Math.sqrt(u * u + b);
  return u < 0 ? b / (root - u) : root + u;
}

export function logisticPdf(x = 0): number {
  const e = Math.exp(-Math.abs(x));
  return e / ((1 + e) * (1 + e));
}

/** Beyond, the distributions have long reached their limits, and infinities would give NaN. */
const bounded = (x: number): number => Math.min(Math.max(x, -800), 800);

export const geluValue = (x = 0): number => Math.max(x, -800) * normalCdf(x);

export function geluSlope(x = 0): number {
  const u = bounded(x);
  return normalCdf(u) + u * normalPdf(u);
}

export function siluSlope(x = 0): number {
  const u = bounded(x);
  return sigmoid(u) + u * logisticPdf(u);
}
