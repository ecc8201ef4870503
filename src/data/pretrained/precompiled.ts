import { SluiceError } from '../../base/errors.js';

function bytesOf(base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch (cause) {
    throw new SluiceError('format', {
      rule: 'precompiled_charsmap of tokenizer.json is base64',
      received: `${base64.length} characters`,
      remedy: 'Fetch tokenizer.json anew.',
      cause,
    });
  }
}

/**
 * SentencePiece's table of replacements, `precompiled_charsmap`: a double array (Aoe 1989, as darts-clone lays it out) of
 * what is replaced, and the texts that it is replaced by.
 */
export class Precompiled {
  readonly #units: Uint32Array;
  readonly #replacements: Uint8Array;
  readonly #graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' });
  readonly #encoder = new TextEncoder();
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  /** @param charsmap in base64. @throws SluiceError `format` for a table that ends before it should. */
  constructor(charsmap: string) {
    const bytes = bytesOf(charsmap);
    const view = new DataView(bytes.buffer);
    const size = bytes.length < 4 ? Number.NaN : view.getUint32(0, true);
    if (!(size % 4 === 0 && 4 + size <= bytes.length)) {
      throw new SluiceError('format', {
        rule: 'precompiled_charsmap of tokenizer.json begins with the size of its table',
        received: `${bytes.length} bytes, ${size} of table`,
        remedy: 'Fetch tokenizer.json anew.',
      });
    }
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#replacements = bytes.subarray(4 + size);
  }

  /** What the shortest prefix that the table has is replaced by. */
  #replacement(text: string): string | undefined {
    const units = this.#units;
    const at = (position: number): number => units[position] ?? 0;
    const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
    let node = offset(at(0));
    for (const byte of this.#encoder.encode(text)) {
      if (byte === 0) return undefined;
      node ^= byte;
      const unit = at(node);
      if ((unit & 0x800000ff) !== byte) return undefined;
      node ^= offset(unit);
      if (((unit >>> 8) & 1) === 1) {
        const begin = at(node) & 0x7fffffff;
        const end = this.#replacements.indexOf(0, begin);
        return this.#decoder.decode(this.#replacements.subarray(begin, end < 0 ? undefined : end));
      }
    }
    return undefined;
  }

  normalize(text: string): string {
    let result = '';
    for (const { segment } of this.#graphemes.segment(text)) {
      // A grapheme of a few bytes is looked up whole, and what is not found character by character.
      const whole = this.#encoder.encode(segment).length < 6 ? this.#replacement(segment) : undefined;
      if (whole !== undefined) result += whole;
      else for (const character of segment) result += this.#replacement(character) ?? character;
    }
    return result;
  }
}
