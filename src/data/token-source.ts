import { SluiceError } from '../base/errors.js';
import type { TextPieces } from './pieces.js';
import { type EncodingProgress, encodeAll, type Tokenizer } from './tokenizer.js';

export type TokenArray = Uint16Array | Uint32Array;

/** Token ids that can be read by position: a file, or an array in memory. */
export interface TokenSource {
  /** The number of tokens. */
  readonly length: number;
  /** The UTF-8 bytes of the text they stand for, where known. */
  readonly bytes?: number | undefined;
  /** `length` tokens from `offset` on, all of them there. Errors ('argument'): a range outside the source. */
  read(offset: number, length: number): Promise<TokenArray>;
}

/** Two bytes a token while ids fit. */
export const tokenArray = (vocabularySize: number, length: number): TokenArray =>
  vocabularySize <= 65_536 ? new Uint16Array(length) : new Uint32Array(length);

/** Holds that a range lies within a source. */
export function requireRange(source: TokenSource, offset: number, length: number): void {
  const whole = Number.isInteger(offset) && Number.isInteger(length);
  if (whole && offset >= 0 && length >= 0 && offset + length <= source.length) return;
  throw new SluiceError('argument', {
    rule: `A range of tokens must lie within 0 to ${source.length}`,
    received: [offset, offset + length],
    remedy: 'Begin earlier, or read fewer tokens.',
  });
}

/** Tokens in memory, for pages and tests. */
export class MemoryTokens implements TokenSource {
  readonly length: number;
  readonly bytes: number | undefined;
  readonly #tokens: TokenArray;

  constructor(tokens: TokenArray | readonly number[], bytes?: number) {
    this.#tokens = Array.isArray(tokens) ? Uint32Array.from(tokens) : (tokens as TokenArray);
    this.length = tokens.length;
    this.bytes = bytes;
  }

  async read(offset: number, length: number): Promise<TokenArray> {
    requireRange(this, offset, length);
    return this.#tokens.subarray(offset, offset + length);
  }
}

/** Tokenizes text into memory. Errors ('data'): no text. */
export async function tokenizeInMemory(
  tokenizer: Tokenizer,
  pieces: TextPieces,
  onProgress?: (progress: EncodingProgress) => void,
): Promise<MemoryTokens> {
  const parts: Uint32Array[] = [];
  let progress: EncodingProgress = { bytes: 0, tokens: 0 };
  for await (const ids of encodeAll(tokenizer, pieces, (now) => {
    progress = now;
    onProgress?.(now);
  })) {
    parts.push(ids);
  }
  if (progress.tokens === 0) throw noTokens();
  const tokens = tokenArray(tokenizer.vocabularySize, progress.tokens);
  let offset = 0;
  for (const part of parts) {
    tokens.set(part, offset);
    offset += part.length;
  }
  return new MemoryTokens(tokens, progress.bytes);
}

/** The error of a text that gives no token. */
export const noTokens = (): SluiceError =>
  new SluiceError('data', {
    rule: 'A corpus must hold some text',
    received: 'no tokens',
    remedy: 'Name a file with text in it.',
  });
