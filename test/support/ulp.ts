/** The distance between neighbouring float32 numbers at the size of x. */
export function ulp32(x: number): number {
  const size = Math.abs(x);
  if (size < 2 ** -126) return 2 ** -149;
  return 2 ** (Math.floor(Math.log2(Math.min(size, 3.4028234663852886e38))) - 23);
}

/**
 * How far a float32 result is from the exact one, in units of the allowed error max(1 ULP, 2^-128): a result within
 * the contract max(4 ULP, 2^-126) has at most 4.
 */
export function error32(actual: number, exact: number): number {
  const expected = Math.fround(exact);
  if (Number.isNaN(expected) || !Number.isFinite(expected))
    return Object.is(actual, expected) ? 0 : Number.POSITIVE_INFINITY;
  if (!Number.isFinite(actual)) return Number.POSITIVE_INFINITY;
  return Math.abs(actual - exact) / Math.max(ulp32(exact), 2 ** -128);
}
