import { SluiceError } from '../base/errors.js';
import { byteLevel, byteLevelModel } from './byte-tokenizer.js';
import { ByteVocabulary, bytesToToken } from './byte-vocabulary.js';
import { Heap } from './heap.js';
import { splitPattern, splitWords, wordBoundary } from './pretokenizer.js';
import {
  endOfTextToken,
  type StreamDecoder,
  specialToken,
  type Tokenizer,
  type TokenizerFiles,
  tokenizerConfig,
} from './tokenizer.js';
import { requireWellFormed } from './utf8.js';

/** The ids of two neighbours that become one token. */
export type Merge = readonly [left: number, right: number];

const cachedWords = 2 ** 17;
const cachedLength = 64;

/**
 * Byte-level byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019): ids 0 to 255 are bytes,
 * 256 + i is the result of merge i, the last id is the end of text. Takes any well-formed text.
 */
export class BpeTokenizer implements Tokenizer {
  readonly kind = 'bpe';
  readonly vocabularySize: number;
  readonly endOfText: number;
  readonly merges: readonly Merge[];
  readonly #vocabulary: ByteVocabulary;
  readonly #merged = new Map<number, number>();
  readonly #cache = new Map<string, readonly number[]>();
  readonly #encoder = new TextEncoder();

  constructor(merges: readonly Merge[]) {
    this.merges = merges;
    this.endOfText = 256 + merges.length;
    this.vocabularySize = this.endOfText + 1;
    const tokens = Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte));
    merges.forEach(([left, right], i) => {
      const [a, b] = [tokens[left], tokens[right]];
      if (a === undefined || b === undefined) {
        throw new SluiceError('argument', {
          rule: `Merge ${i} must join two ids below ${256 + i}`,
          received: [left, right],
          remedy: 'List the merges in the order in which they were learned.',
        });
      }
      tokens.push(joinBytes(a, b));
      this.#merged.set(this.#pair(left, right), 256 + i);
    });
    this.#vocabulary = new ByteVocabulary(tokens, endOfTextToken);
  }

  #pair(left: number, right: number): number {
    return left * this.vocabularySize + right;
  }

  encode(text: string): Uint32Array {
    requireWellFormed(text);
    const ids: number[] = [];
    text.split(endOfTextToken).forEach((section, i) => {
      if (i > 0) ids.push(this.endOfText);
      for (const word of splitWords(section)) for (const id of this.#encodeWord(word)) ids.push(id);
    });
    return Uint32Array.from(ids);
  }

  #encodeWord(word: string): readonly number[] {
    const known = this.#cache.get(word);
    if (known !== undefined) return known;
    const ids = this.#merge(this.#encoder.encode(word));
    if (word.length <= cachedLength) {
      if (this.#cache.size >= cachedWords) this.#cache.clear();
      this.#cache.set(detach(word), ids);
    }
    return ids;
  }

  /** Merges the pair of lowest rank, the leftmost first, until none is left: O(n log n). */
  #merge(bytes: Uint8Array): number[] {
    const symbols = Array.from(bytes);
    const next = symbols.map((_, i) => i + 1);
    const previous = symbols.map((_, i) => i - 1);
    // An entry is rank and position in one number; one that no longer holds is passed over.
    const heap = new Heap<number>((a, b) => a < b);
    const offer = (at: number): void => {
      const id = this.#resultAt(symbols, next, at);
      if (id !== undefined) heap.push(id * 2 ** 31 + at);
    };
    for (let at = 0; at + 1 < symbols.length; at++) offer(at);
    for (let entry = heap.pop(); entry !== undefined; entry = heap.pop()) {
      const at = entry % 2 ** 31;
      const id = (entry - at) / 2 ** 31;
      if (this.#resultAt(symbols, next, at) !== id) continue;
      const gone = next[at] ?? 0;
      const after = next[gone] ?? 0;
      symbols[at] = id;
      symbols[gone] = -1;
      next[at] = after;
      if (after < symbols.length) {
        previous[after] = at;
        offer(at);
      }
      if (at > 0) offer(previous[at] ?? 0);
    }
    return symbols.filter((id) => id >= 0);
  }

  #resultAt(symbols: readonly number[], next: readonly number[], at: number): number | undefined {
    const left = symbols[at] ?? -1;
    const right = symbols[next[at] ?? -1] ?? -1;
    return left < 0 || right < 0 ? undefined : this.#merged.get(this.#pair(left, right));
  }

  decode(ids: ArrayLike<number>): string {
    return this.#vocabulary.decode(ids);
  }

  streamDecoder(): StreamDecoder {
    return this.#vocabulary.streamDecoder();
  }

  tokenByteLength(id: number): number {
    return this.#vocabulary.byteLength(id);
  }

  safeBoundary(text: string, from: number): number {
    return wordBoundary(text, from);
  }

  toFiles(): TokenizerFiles {
    const token = (id: number): string =>
      id === this.endOfText ? endOfTextToken : bytesToToken(this.#vocabulary.bytes(id));
    const vocabulary = Array.from({ length: this.vocabularySize }, (_, id) => [token(id), id] as const);
    const merges = this.merges.map(([left, right]) => [token(left), token(right)] as const);
    return {
      'tokenizer.json': {
        version: '1.0',
        truncation: null,
        padding: null,
        added_tokens: [specialToken(this.endOfText, endOfTextToken)],
        normalizer: null,
        pre_tokenizer: {
          type: 'Sequence',
          pretokenizers: [
            { type: 'Split', pattern: { Regex: splitPattern }, behavior: 'Isolated', invert: false },
            byteLevel,
          ],
        },
        post_processor: null,
        decoder: byteLevel,
        model: byteLevelModel(vocabulary, merges),
      },
      'tokenizer_config.json': tokenizerConfig(true),
    };
  }
}

function joinBytes(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}

/** A copy of a word: a long slice of a string keeps the whole string in memory. */
export const detach = (word: string): string => (word.length < 13 ? word : ` ${word}`.slice(1));
