/** What is in use of `@huggingface/tokenizers`: its models, and its translation of Oniguruma's regular expressions. */
import { Tokenizer as Library } from '@huggingface/tokenizers';
import { SluiceError } from '../../base/errors.js';
import { field, type Json, type JsonObject } from '../json.js';
import { escapeRegExp } from './unicode.js';

/** Words to tokens. */
export interface LibraryModel {
  (words: readonly string[]): string[];
  /** By id; a unigram model may have a token twice. */
  readonly vocab: readonly (string | undefined)[];
  readonly tokens_to_ids: ReadonlyMap<string, number>;
  readonly unk_token_id: number | undefined;
}

/** Parts that are not the model's: Sluice has its own of them, which agree with the Rust tokenizers. */
const noParts = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };

/** The model of a tokenizer.json. @throws SluiceError `format` for one that cannot be read. */
export function openModel(tokenizer: JsonObject, config: JsonObject): LibraryModel {
  try {
    return new Library({ ...tokenizer, ...noParts }, config).model as unknown as LibraryModel;
  } catch (cause) {
    throw unreadable('tokenizer.json must describe a model that @huggingface/tokenizers can read', cause);
  }
}

const noModel = { type: 'BPE', vocab: {}, merges: [] };

/** The `pattern` of a part of tokenizer.json: a text, or a regular expression in Oniguruma's syntax. */
export function patternOf(config: Json): RegExp {
  const literal = field(config, 'pattern', 'String');
  if (typeof literal === 'string') return new RegExp(escapeRegExp(literal), 'gu');
  const split = { type: 'Split', pattern: field(config, 'pattern'), behavior: 'Isolated', invert: true };
  let pattern: unknown;
  try {
    const library: unknown = new Library({ ...noParts, model: noModel, pre_tokenizer: split }, {}).pre_tokenizer;
    pattern = library instanceof Object && 'pattern' in library ? library.pattern : undefined;
  } catch (cause) {
    throw unreadable('a pattern of tokenizer.json must be a regular expression that JavaScript can run', cause);
  }
  if (pattern instanceof RegExp) return pattern;
  throw unreadable('a pattern of tokenizer.json must be a String or a Regex', field(config, 'pattern'));
}

const unreadable = (rule: string, cause: unknown): SluiceError =>
  new SluiceError('format', {
    rule,
    received: cause instanceof Error ? cause.message : cause,
    remedy: 'Fetch the files anew, or choose a model with another tokenizer.',
    cause,
  });
