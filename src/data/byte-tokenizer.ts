import { ByteVocabulary, byteCharacters } from './byte-vocabulary.js';
import { isHighSurrogate, unfinishedAt } from './pieces.js';
import {
  endOfTextToken,
  type StreamDecoder,
  specialToken,
  type Tokenizer,
  type TokenizerFiles,
  tokenizerConfig,
} from './tokenizer.js';
import { requireWellFormed } from './utf8.js';

const endOfText = 256;

/** One token per UTF-8 byte, its id the byte; 256 is the end of text. Takes any well-formed text. */
export class ByteTokenizer implements Tokenizer {
  readonly kind = 'byte';
  readonly vocabularySize = 257;
  readonly endOfText = endOfText;
  readonly #vocabulary = new ByteVocabulary(
    Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    endOfTextToken,
  );

  encode(text: string): Uint32Array {
    requireWellFormed(text);
    const encoder = new TextEncoder();
    const sections = text.split(endOfTextToken).map((section) => encoder.encode(section));
    const ids = new Uint32Array(sections.reduce((sum, bytes) => sum + bytes.length, sections.length - 1));
    let offset = 0;
    sections.forEach((bytes, i) => {
      if (i > 0) ids[offset++] = endOfText;
      ids.set(bytes, offset);
      offset += bytes.length;
    });
    return ids;
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

  safeBoundary(text: string): number {
    const whole = isHighSurrogate(text, text.length - 1) ? text.length - 1 : text.length;
    return Math.min(whole, unfinishedAt(text, endOfTextToken));
  }

  toFiles(): TokenizerFiles {
    const tokens = [...byteCharacters, endOfTextToken];
    return {
      'tokenizer.json': {
        version: '1.0',
        truncation: null,
        padding: null,
        added_tokens: [specialToken(endOfText, endOfTextToken)],
        normalizer: null,
        pre_tokenizer: byteLevel,
        post_processor: null,
        decoder: byteLevel,
        model: byteLevelModel(
          tokens.map((token, id) => [token, id]),
          [],
        ),
      },
      'tokenizer_config.json': tokenizerConfig(true),
    };
  }
}

/** The byte-level stage without a regular expression of its own. */
export const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false } as const;

/** The BPE model of a `tokenizer.json`; a byte tokenizer is one without merges. */
export function byteLevelModel(
  vocabulary: readonly (readonly [string, number])[],
  merges: readonly (readonly [string, string])[],
) {
  return {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: '',
    end_of_word_suffix: '',
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab: Object.fromEntries(vocabulary),
    merges,
  } as const;
}
