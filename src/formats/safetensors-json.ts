import { malformed } from './safetensors-dtypes.js';

/** What a JSON text holds; objects are Maps, so that no key can reach a prototype. */
export type ScannedJson = null | boolean | number | string | readonly ScannedJson[] | ReadonlyMap<string, ScannedJson>;

/** UTF-8 bytes as text. Throws `format` on malformed bytes; a byte order mark is kept, and so refused as JSON. */
export function decodeUtf8(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw Object.assign(malformed(`${what} must be UTF-8 text`), { cause });
  }
}

const space = new Set([' ', '\t', '\n', '\r']);
const numberGrammar = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const naturalGrammar = /(?:0|[1-9][0-9]*)(?![0-9.eE+-])/y;

/**
 * A JSON reader driven by the caller's grammar. Unlike JSON.parse it refuses duplicate keys (also when one is spelt with
 * escapes), reads integers digit by digit instead of rounding them, and goes no deeper than the grammar does.
 * Every method throws `format`.
 */
export class JsonScanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Takes the character if it comes next, after whitespace. */
  take(character: string): boolean {
    if (this.#peek() !== character) return false;
    this.#at++;
    return true;
  }

  expect(character: string): void {
    if (!this.take(character)) throw this.#unexpected(`${JSON.stringify(character)} must come next in the JSON`);
  }

  /** Whitespace may follow, nothing else (NUL padding neither). */
  end(): void {
    if (this.#peek() !== '') throw this.#unexpected('nothing must follow the JSON');
  }

  string(): string {
    this.expect('"');
    const start = this.#at;
    let escaped = false;
    for (let at = start; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code < 0x20) break;
      if (code === 0x22) {
        this.#at = at + 1;
        return escaped ? this.#unescape(start, at + 1) : this.#text.slice(start, at);
      }
      if (code === 0x5c) {
        escaped = true;
        at++;
      }
    }
    throw this.#unexpected('a JSON string must end and hold no control character');
  }

  /** An integer from 0 to 2^53 - 1, written with digits only. */
  natural(): number {
    const digits = this.#match(naturalGrammar);
    if (digits === undefined) throw this.#unexpected('sizes and offsets must be integers written with digits only');
    // Sixteen digits are exact in a double up to 2^53; longer ones would round, so their length decides.
    const value = digits.length > 16 ? Number.POSITIVE_INFINITY : Number(digits);
    if (value > Number.MAX_SAFE_INTEGER) throw malformed('sizes and offsets must be below 2^53', digits);
    return value;
  }

  /** Calls `member` at each value of an object; the keys must differ. */
  object(member: (key: string) => void): void {
    this.expect('{');
    if (this.take('}')) return;
    const seen = new Set<string>();
    do {
      const key = this.string();
      if (seen.has(key)) throw malformed('a JSON object must not repeat a key', key);
      seen.add(key);
      this.expect(':');
      member(key);
    } while (this.take(','));
    this.expect('}');
  }

  /** Calls `element` at each element of an array. */
  array(element: (index: number) => void): void {
    this.expect('[');
    if (this.take(']')) return;
    let index = 0;
    do element(index++);
    while (this.take(','));
    this.expect(']');
  }

  /** Any JSON value, at most `depth` arrays and objects deep. */
  value(depth: number): ScannedJson {
    const next = this.#peek();
    if (next === '"') return this.string();
    if (next === '{' || next === '[') {
      if (depth === 0) throw this.#unexpected('the JSON must not nest so deep');
      return next === '{' ? this.#map(depth - 1) : this.#list(depth - 1);
    }
    for (const [word, value] of [['null', null] as const, ['true', true] as const, ['false', false] as const]) {
      if (!this.#text.startsWith(word, this.#at)) continue;
      this.#at += word.length;
      return value;
    }
    const number = this.#match(numberGrammar);
    if (number === undefined) throw this.#unexpected('a JSON value must come next');
    return Number(number);
  }

  #map(depth: number): ReadonlyMap<string, ScannedJson> {
    const map = new Map<string, ScannedJson>();
    this.object((key) => map.set(key, this.value(depth)));
    return map;
  }

  #list(depth: number): readonly ScannedJson[] {
    const list: ScannedJson[] = [];
    this.array(() => list.push(this.value(depth)));
    return list;
  }

  #peek(): string {
    while (space.has(this.#text.charAt(this.#at))) this.#at++;
    return this.#text.charAt(this.#at);
  }

  #match(grammar: RegExp): string | undefined {
    this.#peek();
    grammar.lastIndex = this.#at;
    const found = grammar.exec(this.#text)?.[0];
    this.#at += found?.length ?? 0;
    return found;
  }

  #unescape(start: number, end: number): string {
    try {
      const text: unknown = JSON.parse(this.#text.slice(start - 1, end));
      if (typeof text === 'string' && !/\p{Surrogate}/u.test(text)) return text;
    } catch {
      // Reported below: the parser's own message names a position inside the piece.
    }
    throw malformed(
      'a JSON string must hold valid escapes and no unpaired surrogate',
      this.#text.slice(start, end - 1),
    );
  }

  #unexpected(rule: string): Error {
    const rest = this.#text.slice(this.#at, this.#at + 24);
    return malformed(rule, rest === '' ? 'the end' : `${rest} (at character ${this.#at})`);
  }
}
