import type { FunctionBuilder, Local } from './assembler.js';

/** A way to emit e^x for four float32, under a name that tells it from others in a runtime's table of kernels. */
export interface Exponential {
  readonly name: string;
  /** Pushes e^x. The argument is at most a rounding above 0, down to -Infinity (which must give 0), or NaN. */
  readonly emit: (f: FunctionBuilder, argument: Local<'v128'>) => void;
}

const lowest = -87.3; // below, e^x is no longer a normal number, and counts as 0
const log2High = 0.693359375; // few bits, so that n * log2High is exact
const log2Low = Math.LN2 - log2High;
/** Taylor coefficients of (e^r - 1 - r) / r^2 to r^5: |r| is at most ln(2) / 2, so the rest is below 1e-8. */
const coefficients = [1 / 5040, 1 / 720, 1 / 120, 1 / 24, 1 / 6, 1 / 2];

/** e^x by 2^n e^r with a polynomial: within 3 ULP. */
export const polynomialExponential: Exponential = {
  name: 'polynomial',
  emit: (f, argument) => {
    const { x, n, r, sum } = f.locals('v128', 'x', 'n', 'r', 'sum');
    f.get(argument);
    f.f32x4(lowest);
    f.op('f32x4.pmax'); // in this order a NaN stays
    f.tee(x);
    f.f32x4(Math.LOG2E);
    f.op('f32x4.mul', 'f32x4.nearest');
    f.set(n);
    f.get(x, n);
    f.f32x4(log2High);
    f.op('f32x4.mul', 'f32x4.sub');
    f.get(n);
    f.f32x4(log2Low);
    f.op('f32x4.mul', 'f32x4.sub');
    f.set(r);
    f.f32x4(coefficients[0] ?? 0);
    for (const coefficient of coefficients.slice(1)) {
      f.get(r);
      f.op('f32x4.mul');
      f.f32x4(coefficient);
      f.op('f32x4.add');
    }
    f.get(r, r);
    f.op('f32x4.mul', 'f32x4.mul');
    f.get(r);
    f.op('f32x4.add');
    f.f32x4(1);
    f.op('f32x4.add');
    f.set(sum);
    f.get(sum, n);
    f.op('i32x4.trunc_sat_f32x4_s');
    f.i32x4(127);
    f.op('i32x4.add');
    f.i32(23);
    f.op('i32x4.shl', 'f32x4.mul');
    f.get(argument);
    f.f32x4(lowest);
    f.op('f32x4.lt', 'v128.andnot');
  },
};
