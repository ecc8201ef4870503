import { SluiceError } from '../base/errors.js';
import type { JsonObject } from './json.js';
import { safePieces, type TextPieces } from './pieces.js';
import { utf8Length } from './utf8.js';

/** The special token that ends a document. A text that spells it out means it, as in Hugging Face's tokenizers. */
export const endOfTextToken = '<|endoftext|>';

export type TokenizerKind = 'char' | 'byte' | 'bpe' | 'pretrained';

/** The two files that hold a tokenizer, as Hugging Face's libraries read them. */
export interface TokenizerFiles {
  readonly 'tokenizer.json': JsonObject;
  readonly 'tokenizer_config.json': JsonObject;
}

/** Turns ids into text one at a time; never gives part of a character. */
export interface StreamDecoder {
  /** The text that this id completes, often none. */
  push(id: number): string;
  /** What is left: bytes that complete no character become U+FFFD. */
  flush(): string;
}

/** Text to token ids and back: `decode(encode(text)) === text` for every text that `encode` takes. */
export interface Tokenizer {
  readonly kind: TokenizerKind;
  /** Ids are below this number; the special token is included. */
  readonly vocabularySize: number;
  /** The id that ends a document, where there is one. */
  readonly endOfText: number | undefined;
  /** Errors ('data'): a lone surrogate; a character that the vocabulary lacks. */
  encode(text: string): Uint32Array;
  /** As `encode`, with the special tokens that the tokenizer puts around an input (a begin of text), where it has any. */
  encodeInput?(text: string): Uint32Array;
  /** Errors ('argument'): an id outside the vocabulary. Bytes that form no character become U+FFFD. */
  decode(ids: ArrayLike<number>): string;
  streamDecoder(): StreamDecoder;
  /** The UTF-8 bytes of text that a token stands for, specials 0: the divisor of bits per byte. */
  tokenByteLength(id: number): number;
  /** The last index at or after `from` where cutting the text changes no token, whatever follows; 0 for none. */
  safeBoundary(text: string, from: number): number;
  toFiles(): TokenizerFiles;
}

export interface EncodingProgress {
  /** UTF-8 bytes of text encoded so far. */
  readonly bytes: number;
  readonly tokens: number;
}

/** Encodes pieces of any length: the same ids as encoding each document whole, each document followed by the end of text. */
export async function* encodeAll(
  tokenizer: Tokenizer,
  pieces: TextPieces,
  onProgress?: (progress: EncodingProgress) => void,
): AsyncGenerator<Uint32Array> {
  let bytes = 0;
  let tokens = 0;
  for await (const piece of safePieces(pieces, (text, from) => tokenizer.safeBoundary(text, from))) {
    const ids = tokenizer.encode(piece.text);
    bytes += utf8Length(piece.text);
    tokens += ids.length;
    if (ids.length > 0) yield ids;
    if (piece.endsDocument && tokenizer.endOfText !== undefined) {
      tokens++;
      yield Uint32Array.of(tokenizer.endOfText);
    }
    onProgress?.({ bytes, tokens });
  }
}

/** `tokenByteLength` of every id, as a table. */
export function tokenByteLengths(tokenizer: Tokenizer): Int32Array {
  return Int32Array.from({ length: tokenizer.vocabularySize }, (_, id) => tokenizer.tokenByteLength(id));
}

/** Holds that an id is in the vocabulary. */
export function requireId(id: number, vocabularySize: number): void {
  if (Number.isInteger(id) && id >= 0 && id < vocabularySize) return;
  throw new SluiceError('argument', {
    rule: `A token id must be an integer from 0 to ${vocabularySize - 1}`,
    received: id,
    remedy: 'Check that the tokenizer belongs to the model.',
  });
}

/** The entry of a special token in `tokenizer.json`. */
export function specialToken(id: number, content: string): JsonObject {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** `tokenizer_config.json`. Without `model_input_names` Hugging Face adds token types, which causal models refuse. */
export function tokenizerConfig(endOfText: boolean): JsonObject {
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    model_input_names: ['input_ids', 'attention_mask'],
    ...(endOfText ? { eos_token: endOfTextToken } : {}),
  };
}
