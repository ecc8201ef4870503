/**
 * Counter-based random numbers: a value is a function of (seed, stream, step, index), so there is no state to lose
 * and the same draw comes out on every device and for every number of threads.
 * Threefry-2x32 with 20 rounds. Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
 */
export const rotations = [13, 15, 26, 6, 17, 29, 16, 24] as const;
export const parity = 0x1bd11bda;

const rotateLeft = (x: number, bits: number): number => (x << bits) | (x >>> (32 - bits));

/** One block: key (k0, k1), counter (c0, c1), two random 32-bit words. */
export function threefry(k0: number, k1: number, c0: number, c1: number): [number, number] {
  const keys = [k0, k1, k0 ^ k1 ^ parity];
  let x0 = (c0 + k0) | 0;
  let x1 = (c1 + k1) | 0;
  for (let group = 0; group < 5; group++) {
    for (let round = 0; round < 4; round++) {
      x0 = (x0 + x1) | 0;
      x1 = rotateLeft(x1, rotations[(group % 2) * 4 + round] ?? 0) ^ x0;
    }
    x0 = (x0 + (keys[(group + 1) % 3] ?? 0)) | 0;
    x1 = (x1 + (keys[(group + 2) % 3] ?? 0) + group + 1) | 0;
  }
  return [x0 >>> 0, x1 >>> 0];
}

/** The independent streams of a run; each draws from its own key. */
export const streams = { initialization: 1, shuffle: 2, dropout: 3, noise: 4, sampling: 5, evaluation: 6 } as const;
export type Stream = keyof typeof streams;

export interface RandomKey {
  readonly k0: number;
  readonly k1: number;
}

/** The key of one (seed, stream, step): distinct for distinct triples. The seed is an integer below 2^53. */
export function randomKey(seed: number, stream: Stream, step = 0): RandomKey {
  const low = seed >>> 0;
  const high = Math.floor(seed / 2 ** 32) >>> 0;
  const [a, b] = threefry(low, high, streams[stream], 0);
  const [k0, k1] = threefry(a, b, step >>> 0, Math.floor(step / 2 ** 32) >>> 0);
  return { k0, k1 };
}

/** The 32-bit word at an index: block index >> 1, first or second half. */
export function randomWord(key: RandomKey, index: number): number {
  const block = Math.floor(index / 2);
  return threefry(key.k0, key.k1, block >>> 0, Math.floor(block / 2 ** 32) >>> 0)[index % 2 === 0 ? 0 : 1];
}

/** Uniform in [0, 1): the upper 24 bits, exact in float32. */
export const randomUniform = (key: RandomKey, index: number): number => (randomWord(key, index) >>> 8) * 2 ** -24;

/** A uniform integer in [0, limit), limit at most 2^53: two words per index, so the bias stays below 2^-53. */
export function randomInteger(key: RandomKey, index: number, limit: number): number {
  const fraction = (randomWord(key, 2 * index) >>> 5) * 2 ** 26 + (randomWord(key, 2 * index + 1) >>> 6);
  return Math.floor(fraction * 2 ** -53 * limit);
}

/** Standard normal by Box and Muller from the two words of block `index`. */
export function randomNormal(key: RandomKey, index: number): number {
  const radius = Math.sqrt(-2 * Math.log(1 - randomUniform(key, 2 * index)));
  return radius * Math.cos(2 * Math.PI * randomUniform(key, 2 * index + 1));
}
