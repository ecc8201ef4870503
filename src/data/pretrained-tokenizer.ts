import { Tokenizer as Library } from '@huggingface/tokenizers';
import { SluiceError } from '../base/errors.js';
import { byteCharacters } from './byte-vocabulary.js';
import { elements, field, type JsonObject } from './json.js';
import { longestRun } from './pieces.js';
import { endOfTextToken, requireId, type StreamDecoder, type Tokenizer, type TokenizerFiles } from './tokenizer.js';
import { requireWellFormed, utf8Length } from './utf8.js';

/** The part of `@huggingface/tokenizers` in use. */
interface LibraryTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: (number | undefined)[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  id_to_token(id: number): string | undefined;
  token_to_id(token: string): number | undefined;
  get_vocab(): Map<string, number>;
}

const byteSet = new Set(byteCharacters);

// How much text on either side decides whether a cut is safe, and how many places are tried at most.
const neighbourhood = 96;
const attempts = 24;

/**
 * Any `tokenizer.json`, through `@huggingface/tokenizers` (about 1 MB/s). `encode` adds no special tokens of its own.
 * A foreign tokenizer may normalize: then `decode(encode(text))` is the normalized text.
 */
export class PretrainedTokenizer implements Tokenizer {
  readonly kind = 'pretrained';
  readonly vocabularySize: number;
  readonly endOfText: number | undefined;
  readonly #library: LibraryTokenizer;
  readonly #files: TokenizerFiles;
  readonly #specials: ReadonlySet<number>;
  readonly #byteLevel: boolean;
  readonly #anchor: number;
  #anchorText: string | undefined;

  /** Errors ('format'): the library cannot read the files. */
  constructor(tokenizer: JsonObject, config: JsonObject) {
    this.#files = {
      'tokenizer.json': tokenizer,
      'tokenizer_config.json': { ...config, clean_up_tokenization_spaces: false },
    };
    this.#library = openLibrary(this.#files);
    const specials = elements(field(tokenizer, 'added_tokens')).filter((token) => field(token, 'special') === true);
    this.#specials = new Set(specials.map((token) => Number(field(token, 'id'))));
    const ids = [...this.#library.get_vocab().values()];
    this.vocabularySize = ids.reduce((most, id) => Math.max(most, id + 1), 0);
    this.endOfText = this.#findEndOfText(config);
    this.#byteLevel = field(tokenizer, 'decoder', 'type') === 'ByteLevel';
    this.#anchor = this.#library.encode('a', { add_special_tokens: false }).ids.at(-1) ?? 0;
  }

  #findEndOfText(config: JsonObject): number | undefined {
    const named = field(config, 'eos_token', 'content') ?? field(config, 'eos_token');
    return this.#library.token_to_id(typeof named === 'string' ? named : endOfTextToken);
  }

  encode(text: string): Uint32Array {
    return this.#encode(text, false);
  }

  encodeInput(text: string): Uint32Array {
    return this.#encode(text, true);
  }

  #encode(text: string, specials: boolean): Uint32Array {
    requireWellFormed(text);
    const { ids } = this.#library.encode(text, { add_special_tokens: specials });
    return Uint32Array.from(ids, (id) => {
      if (id !== undefined) return id;
      throw new SluiceError('data', {
        rule: 'A text for this tokenizer must use what its vocabulary holds: it has no token for the unknown',
        received: text,
        remedy: 'Use a byte-level tokenizer, which takes any text.',
      });
    });
  }

  decode(ids: ArrayLike<number>): string {
    if (ids.length === 0) return '';
    const list = Array.from(ids);
    for (const id of list) requireId(id, this.vocabularySize);
    return this.#library.decode(list, { skip_special_tokens: false, clean_up_tokenization_spaces: false });
  }

  /** Decodes a short window again at each id: what the window's text gained is new, unless it ends inside a character. */
  streamDecoder(): StreamDecoder {
    let window: number[] = [];
    let shown = '';
    let kept = 0;
    const advance = (final: boolean): string => {
      const text = this.decode(window);
      if (text.length <= shown.length || (!final && text.endsWith('\ufffd'))) return '';
      const fresh = text.slice(shown.length);
      // The last token stays as context: decoders treat the first token of a text apart.
      window = window.slice(kept);
      kept = window.length;
      shown = this.decode(window);
      return fresh;
    };
    return {
      push: (id) => {
        requireId(id, this.vocabularySize);
        window.push(id);
        return advance(false);
      },
      flush: () => {
        const rest = advance(true);
        [window, shown, kept] = [[], '', 0];
        return rest;
      },
    };
  }

  /** Exact for byte-level tokenizers; else the bytes that the token adds after another one. */
  tokenByteLength(id: number): number {
    requireId(id, this.vocabularySize);
    if (this.#specials.has(id)) return 0;
    const token = this.#library.id_to_token(id) ?? '';
    if (this.#byteLevel && [...token].every((character) => byteSet.has(character))) return [...token].length;
    if (/^<0x[0-9A-Fa-f]{2}>$/.test(token)) return 1;
    this.#anchorText ??= this.decode([this.#anchor]);
    return Math.max(0, utf8Length(this.decode([this.#anchor, id])) - utf8Length(this.#anchorText));
  }

  /**
   * A place beside white space where the text around it gives the same ids cut and uncut. A foreign tokenizer may have
   * none (one that adds a space before every text): then text is cut at white space about every million characters.
   */
  safeBoundary(text: string, from: number): number {
    let fallback = 0;
    let tried = 0;
    for (let index = text.length - neighbourhood; index > Math.max(0, from - neighbourhood); index--) {
      if (!/\S\s|\n\S/.test(text.slice(index - 1, index + 1))) continue;
      if (fallback === 0) fallback = index;
      if (++tried > attempts) break;
      if (this.#agrees(text, index)) return index;
    }
    return text.length > longestRun ? fallback : 0;
  }

  #agrees(text: string, index: number): boolean {
    const left = text.slice(Math.max(0, index - neighbourhood), index).replace(/^[\udc00-\udfff]/, '');
    const right = text.slice(index, index + neighbourhood).replace(/[\ud800-\udbff]$/, '');
    return this.encode(left + right).join() === [...this.encode(left), ...this.encode(right)].join();
  }

  toFiles(): TokenizerFiles {
    return this.#files;
  }
}

function openLibrary(files: TokenizerFiles): LibraryTokenizer {
  try {
    return new Library(files['tokenizer.json'], files['tokenizer_config.json']) as unknown as LibraryTokenizer;
  } catch (cause) {
    throw new SluiceError('format', {
      rule: 'tokenizer.json must describe a tokenizer that @huggingface/tokenizers can read',
      received: cause instanceof Error ? cause.message : cause,
      remedy: 'Fetch the files anew, or choose a model with another tokenizer.',
      cause,
    });
  }
}
