import { SluiceError } from '../../base/errors.js';
import { elements, field, type Json, type JsonObject } from '../json.js';
import { escapeRegExp, space, word } from './unicode.js';

/** A token that is found in a text before anything else is done to it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly singleWord: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Found in the text as the normalizer leaves it, in the form that the normalizer gives the token. */
  readonly normalized: boolean;
  readonly special: boolean;
}

/** A stretch of text, or the id of an added token in its place. */
export type Piece = string | number;

/** The `added_tokens` of tokenizer.json. */
export function readAddedTokens(tokenizer: JsonObject): AddedToken[] {
  return elements(field(tokenizer, 'added_tokens')).map((token) => ({
    id: idOf(token),
    content: String(field(token, 'content')),
    singleWord: field(token, 'single_word') === true,
    lstrip: field(token, 'lstrip') === true,
    rstrip: field(token, 'rstrip') === true,
    normalized: field(token, 'normalized') === true,
    special: field(token, 'special') === true,
  }));
}

function idOf(token: Json): number {
  const id = Number(field(token, 'id'));
  if (Number.isInteger(id) && id >= 0) return id;
  throw new SluiceError('format', {
    rule: 'an added token in tokenizer.json has an id, a whole number from 0 on',
    received: token,
    remedy: 'Fetch tokenizer.json anew.',
  });
}

const endsInWord = new RegExp(`${word}$`, 'u');
const startsWithWord = new RegExp(`^${word}`, 'u');
const isSpace = new RegExp(space, 'u');

/** Finds added tokens in a text: the leftmost first, of those the longest. */
export class TokenFinder {
  readonly #tokens: ReadonlyMap<string, AddedToken>;
  readonly #pattern: RegExp | undefined;

  constructor(tokens: readonly AddedToken[], contentOf: (token: AddedToken) => string) {
    const named = tokens.map((token) => [contentOf(token), token] as const).filter(([content]) => content !== '');
    this.#tokens = new Map(named);
    const longestFirst = [...this.#tokens.keys()].sort((a, b) => b.length - a.length);
    if (longestFirst.length > 0) this.#pattern = new RegExp(longestFirst.map(escapeRegExp).join('|'), 'g');
  }

  /** The text in order: stretches without added tokens, and the ids of those. */
  split(text: string): Piece[] {
    if (this.#pattern === undefined) return text === '' ? [] : [text];
    const pieces: Piece[] = [];
    let done = 0;
    for (const { 0: content, index } of text.matchAll(this.#pattern)) {
      const token = this.#tokens.get(content);
      let [from, to] = [index, index + content.length];
      if (token === undefined || from < done) continue;
      if (
        token.singleWord &&
        (endsInWord.test(text.slice(Math.max(0, from - 2), from)) || startsWithWord.test(text.slice(to, to + 2)))
      )
        continue;
      if (token.lstrip) while (from > done && isSpace.test(text.charAt(from - 1))) from--;
      if (token.rstrip) while (to < text.length && isSpace.test(text.charAt(to))) to++;
      if (from > done) pieces.push(text.slice(done, from));
      pieces.push(token.id);
      done = to;
    }
    if (done < text.length) pieces.push(text.slice(done));
    return pieces;
  }
}
