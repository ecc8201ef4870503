import { SluiceError } from '../base/errors.js';
import { EventLoop } from '../base/event-loop.js';
import { BpeTokenizer, detach, type Merge } from './bpe-tokenizer.js';
import { Heap } from './heap.js';
import { safePieces, type TextPieces } from './pieces.js';
import { splitWords, wordBoundary } from './pretokenizer.js';
import { endOfTextToken } from './tokenizer.js';
import { requireWellFormed } from './utf8.js';

export interface BpeTrainerProgress {
  readonly stage: 'counting' | 'merging';
  /** Characters read, or tokens in the vocabulary. */
  readonly done: number;
  /** The vocabulary asked for while merging; unknown while counting. */
  readonly total: number | undefined;
}

export interface BpeTrainerOptions {
  /** Bytes, merges and the end of text together: at least 257. */
  readonly vocabularySize: number;
  /** A pair met fewer times than this is not merged; 2 by default. */
  readonly minimumCount?: number;
  /** Above this many distinct words the rarest are forgotten, to half as many; 4 million by default. */
  readonly maximumWords?: number;
  readonly onProgress?: (progress: BpeTrainerProgress) => void;
  readonly signal?: AbortSignal;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Where the pair was seen, ascending; some may be gone. */
  positions: number[];
}

interface Entry {
  readonly pair: Pair;
  /** The pair's count when the entry was made: counts only fall after that. */
  readonly count: number;
}

/**
 * Trains byte-level BPE: words are counted first, then the most frequent pair is merged again and again; of equal pairs
 * the one with the smaller ids. The vocabulary comes out smaller than asked when no pair is left. Errors: 'argument' (size), 'data' (no text).
 */
export async function trainBpe(pieces: TextPieces, options: BpeTrainerOptions): Promise<BpeTokenizer> {
  const { vocabularySize, minimumCount = 2, onProgress, signal } = options;
  requireVocabularySize(vocabularySize);
  const words = await countWords(pieces, options);
  if (words.size === 0) {
    throw new SluiceError('data', {
      rule: 'A tokenizer must be trained on some text',
      received: 'none',
      remedy: 'Use a longer text.',
    });
  }
  const merger = new Merger(words);
  const merges: Merge[] = [];
  const eventLoop = new EventLoop();
  while (merges.length + 257 < vocabularySize) {
    const merge = merger.next(Math.max(1, minimumCount), 256 + merges.length);
    if (merge === undefined) break;
    merges.push(merge);
    if (merges.length % 64 === 0) {
      onProgress?.({ stage: 'merging', done: merges.length + 257, total: vocabularySize });
      await eventLoop.look(signal);
    }
  }
  onProgress?.({ stage: 'merging', done: merges.length + 257, total: vocabularySize });
  return new BpeTokenizer(merges);
}

/** Holds the size of a BPE vocabulary. */
export function requireVocabularySize(size: number): void {
  if (Number.isInteger(size) && size >= 257 && size <= 1_000_000) return;
  throw new SluiceError('argument', {
    rule: 'A BPE vocabulary must have from 257 tokens (256 bytes and the end of text) to 1000000',
    received: size,
    remedy: 'Write for example bpe:4096.',
  });
}

async function countWords(pieces: TextPieces, options: BpeTrainerOptions): Promise<Map<string, number>> {
  const { maximumWords = 4_000_000, onProgress, signal } = options;
  const words = new Map<string, number>();
  let done = 0;
  const eventLoop = new EventLoop();
  for await (const { text } of safePieces(pieces, wordBoundary)) {
    signal?.throwIfAborted();
    requireWellFormed(text);
    for (const section of text.split(endOfTextToken)) {
      for (const word of splitWords(section)) {
        const count = words.get(word);
        if (count !== undefined) words.set(word, count + 1);
        else words.set(detach(word), 1);
      }
    }
    if (words.size > maximumWords) forgetRare(words, maximumWords / 2);
    done += text.length;
    onProgress?.({ stage: 'counting', done, total: undefined });
    await eventLoop.look(signal);
  }
  return words;
}

/** Drops the rarest words until at most `limit` are left. */
function forgetRare(words: Map<string, number>, limit: number): void {
  for (let floor = 1; words.size > limit; floor++) {
    for (const [word, count] of words) if (count <= floor) words.delete(word);
  }
}

/** The words as chains of symbols, and every pair with its count and places, kept up to date merge by merge. */
class Merger {
  readonly #symbols: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  /** How often the word at a position occurs. */
  readonly #weights: Float64Array;
  readonly #pairs = new Map<number, Pair>();
  readonly #heap = new Heap<Entry>(comesFirst);

  constructor(words: ReadonlyMap<string, number>) {
    const encoder = new TextEncoder();
    const encoded: [Uint8Array, number][] = [];
    let size = 0;
    for (const [word, count] of words) {
      const bytes = encoder.encode(word);
      if (bytes.length < 2) continue;
      encoded.push([bytes, count]);
      size += bytes.length;
    }
    this.#symbols = new Int32Array(size);
    this.#next = new Int32Array(size).fill(-1);
    this.#previous = new Int32Array(size).fill(-1);
    this.#weights = new Float64Array(size);
    let start = 0;
    for (const [bytes, count] of encoded) {
      this.#symbols.set(bytes, start);
      this.#weights.fill(count, start, start + bytes.length);
      for (let at = start; at + 1 < start + bytes.length; at++) {
        this.#next[at] = at + 1;
        this.#previous[at + 1] = at;
        this.#add(at);
      }
      start += bytes.length;
    }
    for (const pair of this.#pairs.values()) this.#heap.push({ pair, count: pair.count });
  }

  /** Merges the most frequent pair into `id`; undefined when none is met `minimumCount` times. */
  next(minimumCount: number, id: number): Merge | undefined {
    for (let entry = this.#heap.pop(); entry !== undefined; entry = this.#heap.pop()) {
      const { pair } = entry;
      if (pair.count < entry.count) {
        if (pair.count >= minimumCount) this.#heap.push({ pair, count: pair.count });
        continue;
      }
      if (pair.count < minimumCount) return undefined;
      this.#merge(pair, id);
      return [pair.left, pair.right];
    }
    return undefined;
  }

  #merge(pair: Pair, id: number): void {
    const symbols = this.#symbols;
    const fresh = new Set<Pair>();
    for (const at of pair.positions) {
      const right = this.#next[at] ?? -1;
      // In a run of equal symbols an earlier merge may have taken this place.
      if (symbols[at] !== pair.left || right < 0 || symbols[right] !== pair.right) continue;
      const before = this.#previous[at] ?? -1;
      const after = this.#next[right] ?? -1;
      if (before >= 0) this.#remove(before);
      if (after >= 0) this.#remove(right);
      symbols[at] = id;
      symbols[right] = -1;
      this.#next[at] = after;
      if (after >= 0) {
        this.#previous[after] = at;
        fresh.add(this.#add(at));
      }
      if (before >= 0) fresh.add(this.#add(before));
    }
    pair.count = 0;
    pair.positions = [];
    this.#pairs.delete(pairKey(pair.left, pair.right));
    for (const made of fresh) if (made.count > 0) this.#heap.push({ pair: made, count: made.count });
  }

  #key(at: number): number {
    return pairKey(this.#symbols[at] ?? 0, this.#symbols[this.#next[at] ?? 0] ?? 0);
  }

  #add(at: number): Pair {
    const key = this.#key(at);
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      const left = this.#symbols[at] ?? 0;
      pair = { left, right: this.#symbols[this.#next[at] ?? 0] ?? 0, count: 0, positions: [] };
      this.#pairs.set(key, pair);
    }
    pair.count += this.#weights[at] ?? 0;
    pair.positions.push(at);
    return pair;
  }

  #remove(at: number): void {
    const pair = this.#pairs.get(this.#key(at));
    if (pair !== undefined) pair.count -= this.#weights[at] ?? 0;
  }
}

const pairKey = (left: number, right: number): number => left * 2 ** 20 + right;

function comesFirst(a: Entry, b: Entry): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.pair.left !== b.pair.left ? a.pair.left < b.pair.left : a.pair.right < b.pair.right;
}
