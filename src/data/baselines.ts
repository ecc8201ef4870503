import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import type { TokenSource } from './token-source.js';
import { requireId } from './tokenizer.js';

export interface KneserNeyOptions {
  /** Tokens of an n-gram: 2 or 3. */
  readonly order: 2 | 3;
  readonly vocabularySize: number;
  /** At most this many tokens from the start are counted; 20 million by default (about half a gigabyte). */
  readonly maximumTokens?: number;
}

export interface BaselineResult {
  /** Tokens scored: all but the first. */
  readonly tokens: number;
  readonly bitsPerToken: number;
  readonly bitsPerByte: number;
}

/** Distinct n-grams as sorted numbers; the n-grams of one context lie side by side. */
interface Order {
  readonly grams: Float64Array;
  /** The counts of the n-grams before each one together, and of all. */
  readonly cumulative: Float64Array;
  readonly discount: number;
}

const chunk = 65_536;

/**
 * An n-gram model with interpolated Kneser-Ney smoothing: one discount n1 / (n1 + 2 n2) an order; lower orders count in
 * how many contexts a token was seen; the last fallback is uniform. Source: Ney, Essen and Kneser 1994; Chen and
 * Goodman 1999, section 2.7.
 */
export class KneserNey {
  readonly vocabularySize: number;
  /** From order 1 up. */
  readonly discounts: readonly number[];
  readonly #orders: readonly Order[];
  readonly #unigram: Float64Array;

  constructor(tokens: ArrayLike<number>, options: Pick<KneserNeyOptions, 'order' | 'vocabularySize'>) {
    const { order, vocabularySize } = options;
    requireCountable(tokens, options);
    for (let i = 0; i < tokens.length; i++) requireId(tokens[i] ?? -1, vocabularySize);
    this.vocabularySize = vocabularySize;
    // The highest order counts occurrences, each lower one the distinct n-grams above that end alike.
    const orders: Order[] = [countGrams(gramsOf(tokens, order, vocabularySize))];
    for (let n = order - 1; n >= 1; n--) {
      const above = (orders[0] as Order).grams;
      const limit = vocabularySize ** n;
      orders.unshift(countGrams(above.map((gram) => gram % limit)));
    }
    this.#orders = orders;
    this.discounts = orders.map(({ discount }) => discount);
    this.#unigram = this.#unigrams(orders[0] as Order);
  }

  #unigrams({ grams, cumulative, discount }: Order): Float64Array {
    const total = countOf(cumulative, 0, grams.length);
    const uniform = (discount * grams.length) / total / this.vocabularySize;
    const probabilities = new Float64Array(this.vocabularySize).fill(uniform);
    grams.forEach((token, i) => {
      probabilities[token] = uniform + (countOf(cumulative, i, i + 1) - discount) / total;
    });
    return probabilities;
  }

  /** The probability of a token after the last tokens of a context, of which as many are used as the order allows. */
  probability(context: ArrayLike<number>, token: number): number {
    let probability = this.#unigram[token] ?? 0;
    let prefix = 0;
    for (let n = 2; n <= this.#orders.length && n - 1 <= context.length; n++) {
      prefix += (context[context.length - n + 1] ?? 0) * this.vocabularySize ** (n - 2);
      probability = this.#interpolate(this.#orders[n - 1] as Order, prefix, token, probability);
    }
    return probability;
  }

  #interpolate({ grams, cumulative, discount }: Order, prefix: number, token: number, lower: number): number {
    const first = prefix * this.vocabularySize;
    const from = lowerBound(grams, first, 0);
    const to = lowerBound(grams, first + this.vocabularySize, from);
    if (to === from) return lower;
    const at = lowerBound(grams, first + token, from);
    const count = grams[at] === first + token ? countOf(cumulative, at, at + 1) : 0;
    return (Math.max(0, count - discount) + discount * (to - from) * lower) / countOf(cumulative, from, to);
  }

  /** Scores held-out tokens, each but the first, after what precedes it; `bytes` of text are what those stand for. */
  async evaluate(source: TokenSource, bytes: number): Promise<BaselineResult> {
    const tokens = source.length - 1;
    if (tokens < 1 || !(bytes > 0)) {
      throw new SluiceError('data', {
        rule: 'A held-out text must have at least 2 tokens and some bytes',
        received: `${source.length} tokens, ${bytes} bytes`,
        remedy: 'Use a longer text.',
      });
    }
    const reach = this.#orders.length - 1;
    let bits = 0;
    for (let start = 1; start < source.length; start += chunk) {
      const from = Math.max(0, start - reach);
      const ids = await source.read(from, Math.min(source.length, start + chunk) - from);
      for (let i = start - from; i < ids.length; i++) {
        bits -= Math.log2(this.probability(ids.subarray(Math.max(0, i - reach), i), ids[i] ?? 0));
      }
    }
    return { tokens, bitsPerToken: bits / tokens, bitsPerByte: bits / bytes };
  }
}

/** Reads a source and counts its n-grams. Errors: 'data' (too short), 'argument' (a vocabulary too large to count). */
export async function trainKneserNey(source: TokenSource, options: KneserNeyOptions): Promise<KneserNey> {
  const length = Math.min(source.length, options.maximumTokens ?? 20_000_000);
  const tokens = new Uint32Array(length);
  for (let start = 0; start < length; start += chunk) {
    tokens.set(await source.read(start, Math.min(chunk, length - start)), start);
  }
  return new KneserNey(tokens, options);
}

function requireCountable(
  tokens: ArrayLike<number>,
  { order, vocabularySize }: Pick<KneserNeyOptions, 'order' | 'vocabularySize'>,
): void {
  if (vocabularySize ** order > Number.MAX_SAFE_INTEGER) {
    throw new SluiceError('argument', {
      rule: `A vocabulary must have at most ${Math.floor(Number.MAX_SAFE_INTEGER ** (1 / order))} tokens to count ${order}-grams`,
      received: vocabularySize,
      remedy: 'Use order 2.',
    });
  }
  if (tokens.length >= order) return;
  throw new SluiceError('data', {
    rule: `A text must have at least ${order} tokens to count ${order}-grams`,
    received: plural(tokens.length, 'token'),
    remedy: 'Use a longer text.',
  });
}

/** Every n-gram as one number below vocabularySize^order. */
function gramsOf(tokens: ArrayLike<number>, order: number, vocabularySize: number): Float64Array {
  const grams = new Float64Array(tokens.length - order + 1);
  for (let i = 0; i < grams.length; i++) {
    let gram = 0;
    for (let k = 0; k < order; k++) gram = gram * vocabularySize + (tokens[i + k] ?? 0);
    grams[i] = gram;
  }
  return grams;
}

function countGrams(all: Float64Array): Order {
  all.sort();
  const cumulative = new Float64Array(all.length + 1);
  let distinct = 0;
  for (let i = 0; i < all.length; i++) {
    if (i === 0 || all[i] !== all[distinct - 1]) all[distinct++] = all[i] as number;
    cumulative[distinct] = i + 1;
  }
  const kept = cumulative.slice(0, distinct + 1);
  return { grams: all.slice(0, distinct), cumulative: kept, discount: estimateDiscount(kept) };
}

/** The counts of the n-grams from one index to another together. */
const countOf = (cumulative: Float64Array, from: number, to: number): number =>
  (cumulative[to] ?? 0) - (cumulative[from] ?? 0);

/** n1 / (n1 + 2 n2); 0.5 where nothing was seen once, for a discount of 0 would leave nothing to what is new. */
function estimateDiscount(cumulative: Float64Array): number {
  let once = 0;
  let twice = 0;
  for (let i = 1; i < cumulative.length; i++) {
    const count = countOf(cumulative, i - 1, i);
    if (count === 1) once++;
    else if (count === 2) twice++;
  }
  return once === 0 ? 0.5 : once / (once + 2 * twice);
}

/** The first index whose value is at least `value`. */
function lowerBound(sorted: Float64Array, value: number, from: number): number {
  let low = from;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
