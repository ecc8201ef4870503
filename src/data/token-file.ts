import { createHash } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { endianness } from 'node:os';
import { dirname } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { readFully, writeFileAtomically } from '../formats/durable.js';
import type { ByteSink, OpenFile } from '../formats/file-system.js';
import { elements, field, type Json, sameJson } from './json.js';
import { openForReading } from './read-text.js';
import type { Corpus } from './text.js';
import { noTokens, requireRange, type TokenArray, type TokenSource, tokenArray } from './token-source.js';
import { type EncodingProgress, encodeAll, type Tokenizer } from './tokenizer.js';

/** What the file beside the tokens says (`PATH.json`). */
export interface TokenFileDescription {
  readonly formatVersion: 1;
  readonly type: 'uint16' | 'uint32';
  readonly vocabularySize: number;
  /** SHA-256 of `tokenizer.json`. */
  readonly tokenizer: string;
  /** The stretches of files that were tokenized, with size and time of change. */
  readonly source: { readonly format: Corpus['format']; readonly segments: Corpus['segments'] };
  readonly tokens: number;
  /** UTF-8 bytes of the text. */
  readonly bytes: number;
}

/** SHA-256 of a tokenizer's `tokenizer.json`, in hexadecimal. */
export function tokenizerHash(tokenizer: Tokenizer): string {
  return createHash('sha256').update(JSON.stringify(tokenizer.toFiles()['tokenizer.json'])).digest('hex');
}

const descriptionPath = (path: string): string => `${path}.json`;
const littleEndian = endianness() === 'LE';

/** The bytes of tokens in little-endian order, as a view where the machine has that order. */
function toLittleEndian(tokens: TokenArray): Buffer {
  const bytes = Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength);
  if (littleEndian) return bytes;
  return tokens.BYTES_PER_ELEMENT === 2 ? Buffer.from(bytes).swap16() : Buffer.from(bytes).swap32();
}

/** A token file open for reading by position; the file is never in memory whole. */
export class TokenFile implements TokenSource {
  readonly length: number;
  readonly bytes: number;
  readonly description: TokenFileDescription;
  readonly #file: OpenFile;

  private constructor(file: OpenFile, description: TokenFileDescription) {
    this.#file = file;
    this.description = description;
    this.length = description.tokens;
    this.bytes = description.bytes;
  }

  /** Errors: 'filesystem' (unreadable), 'format' (no description, or a size that does not fit it). */
  static async open(path: string): Promise<TokenFile> {
    const description = await readDescription(path);
    if (description === undefined) {
      throw new SluiceError('format', {
        rule: `A token file needs its description ${descriptionPath(path)}, of format version 1`,
        received: 'none',
        remedy: 'Tokenize the text again.',
      });
    }
    const file = await openForReading(path);
    try {
      const { size } = await file.stat();
      const expected = description.tokens * (description.type === 'uint16' ? 2 : 4);
      if (size === expected) return new TokenFile(file, description);
      throw new SluiceError('format', {
        rule: `${path} must have ${expected} bytes, as its description says`,
        received: size,
        remedy: 'Delete both and tokenize the text again.',
      });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  async read(offset: number, length: number): Promise<TokenArray> {
    requireRange(this, offset, length);
    const tokens = tokenArray(this.description.vocabularySize, length);
    const bytes = Buffer.from(tokens.buffer, tokens.byteOffset, tokens.byteLength);
    const filled = await readFully(this.#file, bytes, offset * tokens.BYTES_PER_ELEMENT);
    if (filled < bytes.length) {
      throw new SluiceError('filesystem', {
        rule: 'A token file must not shrink while it is read',
        received: filled,
        remedy: 'Tokenize the text again.',
      });
    }
    if (!littleEndian) tokens.BYTES_PER_ELEMENT === 2 ? bytes.swap16() : bytes.swap32();
    return tokens;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function readDescription(path: string): Promise<TokenFileDescription | undefined> {
  try {
    const parsed = JSON.parse(await readFile(descriptionPath(path), 'utf8')) as Json;
    const numbers = ['tokens', 'bytes', 'vocabularySize'].every((key) => Number.isSafeInteger(field(parsed, key)));
    const type = field(parsed, 'type');
    const known = numbers && (type === 'uint16' || type === 'uint32') && field(parsed, 'formatVersion') === 1;
    return known && elements(field(parsed, 'source', 'segments')).length > 0
      ? (parsed as unknown as TokenFileDescription)
      : undefined;
  } catch {
    // A description that is missing or broken is none: the tokens are made anew.
    return undefined;
  }
}

export interface TokenizeOptions {
  readonly corpus: Corpus;
  readonly tokenizer: Tokenizer;
  /** Where the tokens go; the description goes beside, with `.json` appended. */
  readonly path: string;
  /** `bytes` counts up to about `corpus.bytes`. Not called when the file is reused. */
  readonly onProgress?: (progress: EncodingProgress) => void;
  readonly signal?: AbortSignal;
}

/**
 * Tokenizes a corpus once: a token file already there is reused when it was made from the same stretches of files, with
 * the same sizes and times of change, by the same tokenizer. Errors ('data'): as the corpus and the tokenizer give.
 */
export async function tokenizeToFile(options: TokenizeOptions): Promise<{ file: TokenFile; reused: boolean }> {
  const { corpus, tokenizer, path } = options;
  const wanted = {
    formatVersion: 1,
    type: tokenizer.vocabularySize <= 65_536 ? 'uint16' : 'uint32',
    vocabularySize: tokenizer.vocabularySize,
    tokenizer: tokenizerHash(tokenizer),
    source: { format: corpus.format, segments: corpus.segments },
  } as const;
  const file = await openIfSame(path, wanted);
  if (file !== undefined) return { file, reused: true };
  await mkdir(dirname(path), { recursive: true });
  let progress: EncodingProgress = { bytes: 0, tokens: 0 };
  await writeFileAtomically(path, async (sink) => {
    progress = await writeTokens(sink, options);
    // The description is the commit: beside new tokens, an old one would look like theirs.
    await rm(descriptionPath(path), { force: true });
  });
  const { tokens, bytes } = progress;
  await writeFileAtomically(descriptionPath(path), `${JSON.stringify({ ...wanted, tokens, bytes }, null, 2)}\n`);
  return { file: await TokenFile.open(path), reused: false };
}

async function openIfSame(
  path: string,
  wanted: Omit<TokenFileDescription, 'tokens' | 'bytes'>,
): Promise<TokenFile | undefined> {
  const found = await readDescription(path);
  if (found === undefined) return undefined;
  const { tokens: _tokens, bytes: _bytes, ...rest } = found;
  if (!sameJson(rest as unknown as Json, wanted as unknown as Json)) return undefined;
  try {
    return await TokenFile.open(path);
  } catch (error) {
    // Lost or cut short: made anew.
    if (error instanceof SluiceError) return undefined;
    throw error;
  }
}

async function writeTokens(sink: ByteSink, options: TokenizeOptions): Promise<EncodingProgress> {
  const { corpus, tokenizer, onProgress, signal } = options;
  let progress: EncodingProgress = { bytes: 0, tokens: 0 };
  for await (const ids of encodeAll(tokenizer, corpus.pieces(), (now) => {
    progress = now;
    onProgress?.(now);
  })) {
    signal?.throwIfAborted();
    const tokens = tokenArray(tokenizer.vocabularySize, ids.length);
    tokens.set(ids);
    await sink.write(toLittleEndian(tokens));
  }
  if (progress.tokens === 0) throw noTokens();
  return progress;
}
