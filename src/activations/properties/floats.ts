const doubles = /* @__PURE__ */ new Float64Array(1);
const words = /* @__PURE__ */ new BigInt64Array(doubles.buffer);

/** The float64 numbers in order, as integers: neighbours differ by 1, and both zeros are 0. */
function rank(x: number): bigint {
  doubles[0] = x;
  const bits = words[0] ?? 0n;
  return bits < 0n ? -(bits & 0x7fffffffffffffffn) : bits;
}

function unrank(position: bigint): number {
  words[0] = position < 0n ? -position | (1n << 63n) : position;
  return doubles[0] ?? Number.NaN;
}

/** The next float64 above x. */
export const above = (x: number): number => unrank(rank(x) + 1n);

/** The next float64 below x. */
export const below = (x: number): number => unrank(rank(x) - 1n);

/** The float64 in the middle of a and b, counted in floats: bisection with it ends after 64 steps. */
export const middle = (a: number, b: number): number => unrank((rank(a) + rank(b)) >> 1n);

export const areNeighbours = (a: number, b: number): boolean => rank(b) - rank(a) <= 1n;
