import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import { isHighSurrogate, safePieces, type TextPieces, unfinishedAt } from './pieces.js';
import {
  endOfTextToken,
  requireId,
  type StreamDecoder,
  specialToken,
  type Tokenizer,
  type TokenizerFiles,
  tokenizerConfig,
} from './tokenizer.js';
import { codePointName, requireWellFormed, utf8Length } from './utf8.js';

/** One token per code point, in the order of code points. The end of text, where wanted, is the last id. */
export class CharTokenizer implements Tokenizer {
  readonly kind = 'char';
  readonly vocabularySize: number;
  readonly endOfText: number | undefined;
  readonly #tokens: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;

  /** `characters`: single code points, each once; their positions are their ids. */
  constructor(characters: readonly string[], options: { readonly endOfText?: boolean } = {}) {
    const wrong = characters.find((character) => [...character].length !== 1);
    this.#ids = new Map(characters.map((character, id) => [character, id]));
    if (wrong !== undefined || this.#ids.size !== characters.length || characters.length === 0) {
      throw new SluiceError('argument', {
        rule: 'A character tokenizer needs at least one character, each a single code point, none twice',
        received: wrong ?? characters.length,
        remedy: 'Collect them from a text with collectCharacters().',
      });
    }
    for (const character of characters) requireWellFormed(character);
    this.endOfText = options.endOfText === true ? characters.length : undefined;
    this.#tokens = options.endOfText === true ? [...characters, endOfTextToken] : characters;
    this.vocabularySize = this.#tokens.length;
  }

  encode(text: string): Uint32Array {
    requireWellFormed(text);
    const ids: number[] = [];
    const { endOfText } = this;
    if (endOfText === undefined) this.#append(text, ids);
    else {
      text.split(endOfTextToken).forEach((section, i) => {
        if (i > 0) ids.push(endOfText);
        this.#append(section, ids);
      });
    }
    return Uint32Array.from(ids);
  }

  #append(text: string, ids: number[]): void {
    for (const character of text) {
      const id = this.#ids.get(character);
      if (id === undefined) throw this.#unknown(character);
      ids.push(id);
    }
  }

  #unknown(character: string): SluiceError {
    return new SluiceError('data', {
      rule: `A text for this tokenizer must use its ${plural(this.#ids.size, 'character')} only`,
      received: `${character} (${codePointName(character)})`,
      remedy: 'Remove it, train on a text that has it, or use the tokenizer byte or bpe:SIZE, which take any text.',
    });
  }

  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (id) => this.#token(id)).join('');
  }

  #token(id: number): string {
    requireId(id, this.vocabularySize);
    return this.#tokens[id] ?? '';
  }

  streamDecoder(): StreamDecoder {
    return { push: (id) => this.#token(id), flush: () => '' };
  }

  tokenByteLength(id: number): number {
    return id === this.endOfText ? 0 : utf8Length(this.#token(id));
  }

  safeBoundary(text: string): number {
    if (this.endOfText !== undefined) return unfinishedAt(text, endOfTextToken);
    return isHighSurrogate(text, text.length - 1) ? text.length - 1 : text.length;
  }

  toFiles(): TokenizerFiles {
    return {
      'tokenizer.json': {
        version: '1.0',
        truncation: null,
        padding: null,
        added_tokens: this.endOfText === undefined ? [] : [specialToken(this.endOfText, endOfTextToken)],
        normalizer: null,
        pre_tokenizer: { type: 'Split', pattern: { Regex: anyCharacter }, behavior: 'Isolated', invert: false },
        post_processor: null,
        decoder: { type: 'Fuse' },
        // WordLevel refuses an unknown character where BPE would drop it: the unknown token is not in the vocabulary.
        model: {
          type: 'WordLevel',
          vocab: Object.fromEntries(this.#tokens.map((token, id) => [token, id])),
          unk_token: '<|unknown|>',
        },
      },
      'tokenizer_config.json': tokenizerConfig(this.endOfText !== undefined),
    };
  }
}

/** The pre-tokenizer of a character tokenizer: one code point at a time, newlines too. */
export const anyCharacter = '[\\s\\S]';

/** The distinct code points of a text, in order of code point; with `endOfText` that token is not read as characters. */
export async function collectCharacters(
  pieces: TextPieces,
  options: { readonly endOfText?: boolean } = {},
): Promise<string[]> {
  const seen = new Set<string>();
  const whole = (text: string): number =>
    options.endOfText === true ? unfinishedAt(text, endOfTextToken) : text.length;
  for await (const { text } of safePieces(pieces, whole)) {
    requireWellFormed(text);
    const plain = options.endOfText === true ? text.replaceAll(endOfTextToken, '') : text;
    for (const character of plain) seen.add(character);
  }
  return [...seen].sort((a, b) => (a.codePointAt(0) ?? 0) - (b.codePointAt(0) ?? 0));
}
