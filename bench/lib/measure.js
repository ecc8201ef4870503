/** Middle of the sorted values. @param {readonly number[]} values */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * The median and the best time of a call in milliseconds, over at least `repetitions` calls and about `minimum` milliseconds.
 * @param {() => Promise<void> | void} call ends when its result is there
 */
export async function timed(call, { repetitions = 5, minimum = 60 } = {}) {
  const times = [];
  let total = 0;
  while (times.length < repetitions || (total < minimum && times.length < 200)) {
    const began = performance.now();
    await call();
    const time = performance.now() - began;
    times.push(time);
    total += time;
  }
  return { median: median(times), best: Math.min(...times) };
}

/**
 * The largest difference, by the size of the largest expected value.
 * @param {ArrayLike<number>} actual
 * @param {ArrayLike<number>} expected
 */
export function worstDifference(actual, expected) {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [worst, size] = [0, 0];
  for (let i = 0; i < expected.length; i++) {
    worst = Math.max(worst, Math.abs(actual[i] - expected[i])); // a NaN stays
    size = Math.max(size, Math.abs(expected[i]));
  }
  return worst / size;
}

/** The largest difference in units of the last place of a float32, of which the smallest counts as 2^-128. */
export function worstUlp(actual, expected) {
  let worst = 0;
  for (let i = 0; i < expected.length; i++) {
    const size = Math.max(Math.abs(expected[i]), 2 ** -105);
    worst = Math.max(worst, Math.abs(actual[i] - expected[i]) / 2 ** (Math.floor(Math.log2(size)) - 23));
  }
  return worst;
}

/** Reproducible numbers in [-scale, scale), spread over the range in no order. */
export function noise(length, scale = 1, seed = 1) {
  const values = new Float32Array(length);
  let state = (seed * 2654435761) >>> 0;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    values[i] = ((state >>> 8) / 2 ** 23 - 1) * scale;
  }
  return values;
}
