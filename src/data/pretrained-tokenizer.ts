import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { byteCharacters } from './byte-vocabulary.js';
import { field, type JsonObject } from './json.js';
import { longestRun } from './pieces.js';
import { readAddedTokens, TokenFinder } from './pretrained/added-tokens.js';
import { type Decode, decoderOf } from './pretrained/decoders.js';
import { type Framed, frameOf } from './pretrained/framing.js';
import { type LibraryModel, openModel } from './pretrained/library.js';
import { type Normalize, normalizerOf } from './pretrained/normalizers.js';
import { type PreTokenize, preTokenizerOf } from './pretrained/pre-tokenizers.js';
import { endOfTextToken, requireId, type StreamDecoder, type Tokenizer, type TokenizerFiles } from './tokenizer.js';
import { requireWellFormed, utf8Length } from './utf8.js';

export interface DecodeOptions {
  /** Leaves special tokens out; false by default. */
  readonly skipSpecials?: boolean;
}

const decodeOptions = { skipSpecials: false } satisfies OptionTable<DecodeOptions>;

const byteSet = new Set(byteCharacters);

// How much text on either side decides whether a cut is safe, and how many places are tried at most.
const neighbourhood = 96;
const attempts = 24;

/**
 * Any `tokenizer.json`, to the ids that Hugging Face's Rust tokenizers give; the models (BPE, WordPiece, Unigram) are those of
 * `@huggingface/tokenizers`. `encode` adds no special tokens of its own, `frame` does. A foreign tokenizer may normalize:
 * then `decode(encode(text))` is the normalized text.
 */
export class PretrainedTokenizer implements Tokenizer {
  readonly kind = 'pretrained';
  readonly vocabularySize: number;
  readonly endOfText: number | undefined;
  readonly #files: TokenizerFiles;
  readonly #model: LibraryModel;
  readonly #ids: ReadonlyMap<string, number>;
  readonly #tokens: ReadonlyMap<number, string>;
  readonly #specials: ReadonlySet<number>;
  readonly #finders: { readonly raw: TokenFinder; readonly normalized: TokenFinder };
  readonly #normalize: Normalize;
  readonly #preTokenize: PreTokenize;
  readonly #decode: Decode;
  readonly #frame: (texts: readonly Uint32Array[]) => Framed;
  readonly #byteLevel: boolean;
  readonly #anchor: number;
  #anchorText: string | undefined;

  /** Errors ('format'): a part of the files that cannot be read, by its name. */
  constructor(tokenizer: JsonObject, config: JsonObject) {
    this.#files = {
      'tokenizer.json': tokenizer,
      'tokenizer_config.json': { ...config, clean_up_tokenization_spaces: false },
    };
    this.#normalize = normalizerOf(tokenizer['normalizer']);
    this.#preTokenize = preTokenizerOf(tokenizer['pre_tokenizer']);
    this.#decode = decoderOf(tokenizer['decoder']);
    this.#frame = frameOf(tokenizer['post_processor']);
    this.#model = openModel(tokenizer, config);
    const added = readAddedTokens(tokenizer);
    this.#ids = new Map([...this.#model.tokens_to_ids, ...added.map(({ content, id }) => [content, id] as const)]);
    const tokens = [...this.#model.vocab.entries(), ...added.map(({ id, content }) => [id, content] as const)];
    this.#tokens = new Map(tokens.flatMap(([id, token]) => (token === undefined ? [] : [[id, token] as const])));
    this.#specials = new Set(added.filter(({ special }) => special).map(({ id }) => id));
    this.#finders = {
      raw: new TokenFinder(
        added.filter(({ normalized }) => !normalized),
        ({ content }) => content,
      ),
      normalized: new TokenFinder(
        added.filter(({ normalized }) => normalized),
        ({ content }) => this.#normalize(content),
      ),
    };
    this.vocabularySize = [...this.#tokens.keys()].reduce((most, id) => Math.max(most, id + 1), 0);
    this.endOfText = this.#findEndOfText(config);
    this.#byteLevel = field(tokenizer, 'decoder', 'type') === 'ByteLevel';
    this.#anchor = this.encode('a').at(-1) ?? 0;
  }

  #findEndOfText(config: JsonObject): number | undefined {
    const named = field(config, 'eos_token', 'content') ?? field(config, 'eos_token');
    return this.#ids.get(typeof named === 'string' ? named : endOfTextToken);
  }

  /** The id of a token, special ones included, by its text in the vocabulary. */
  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }

  encodeInput(text: string): Uint32Array {
    return this.frame(text).ids;
  }

  encode(text: string): Uint32Array {
    requireWellFormed(text);
    const ids: number[] = [];
    this.#finders.raw.split(text).forEach((piece, i) => {
      if (typeof piece === 'number') ids.push(piece);
      else this.#encodeRaw(piece, i === 0, ids);
    });
    return Uint32Array.from(ids);
  }

  #encodeRaw(text: string, isFirst: boolean, ids: number[]): void {
    this.#finders.normalized.split(this.#normalize(text)).forEach((piece, i) => {
      if (typeof piece === 'number') ids.push(piece);
      else
        for (const token of this.#model(this.#preTokenize(piece, isFirst && i === 0)))
          ids.push(this.#idIn(token, text));
    });
  }

  #idIn(token: string, text: string): number {
    const id = this.#model.tokens_to_ids.get(token) ?? this.#model.unk_token_id;
    if (id !== undefined) return id;
    throw new SluiceError('data', {
      rule: 'A text for this tokenizer must use what its vocabulary holds: it has no token for the unknown',
      received: text,
      remedy: 'Use a byte-level tokenizer, which takes any text.',
    });
  }

  /** A text, or two, with the special tokens that the tokenizer puts around them: `[CLS] A [SEP] B [SEP]`. */
  frame(text: string, pair?: string): Framed {
    const texts = pair === undefined ? [text] : [text, pair];
    return this.#frame(texts.map((one) => this.encode(one)));
  }

  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const { skipSpecials } = completeOptions('decode', options, decodeOptions);
    const tokens: string[] = [];
    for (const id of Array.from(ids)) {
      requireId(id, this.vocabularySize);
      const token = skipSpecials && this.#specials.has(id) ? undefined : this.#tokens.get(id);
      if (token !== undefined) tokens.push(token);
    }
    return this.#decode(tokens).join('');
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
    const token = this.#tokens.get(id) ?? '';
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
