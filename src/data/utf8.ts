import { SluiceError } from '../base/errors.js';

/** The number of UTF-8 bytes of a well-formed text. */
export function utf8Length(text: string): number {
  let bytes = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    // A surrogate is half of a character of four bytes.
    bytes += unit < 0x80 ? 1 : unit < 0x800 || (unit >= 0xd800 && unit <= 0xdfff) ? 2 : 3;
  }
  return bytes;
}

/** `U+00E9` for a character. */
export const codePointName = (character: string): string =>
  `U+${(character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}`;

/**
 * Holds that a text is well-formed Unicode. A lone surrogate has no UTF-8 form: replacing it would break
 * `decode(encode(text)) === text` in silence, so it is an error ('data').
 */
export function requireWellFormed(text: string): void {
  const index = text.search(/\p{Surrogate}/u);
  if (index < 0) return;
  throw new SluiceError('data', {
    rule: 'A text to tokenize must be well-formed Unicode, without lone surrogates',
    received: `${codePointName(text.charAt(index))} at index ${index}`,
    remedy: 'Replace it first, for example by text.toWellFormed(), or cut the text between characters.',
  });
}

/** How many bytes the character that starts with this byte takes; 0 when no character starts so. */
function characterSize(lead: number): number {
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return 2;
  if (lead >= 0xe0 && lead <= 0xef) return 3;
  return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

/** The offset of the first byte that is not part of a UTF-8 character, or -1. Overlong forms and surrogates are not UTF-8. */
export function invalidUtf8At(bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; ) {
    const lead = bytes[i] ?? 0;
    const size = characterSize(lead);
    if (size === 0) return i;
    for (let k = 1; k < size; k++) {
      const low = k > 1 ? 0x80 : lead === 0xe0 ? 0xa0 : lead === 0xf0 ? 0x90 : 0x80;
      const high = k > 1 ? 0xbf : lead === 0xed ? 0x9f : lead === 0xf4 ? 0x8f : 0xbf;
      const byte = bytes[i + k] ?? 0;
      if (byte < low || byte > high) return i;
    }
    i += size;
  }
  return -1;
}

/** The length of the longest prefix that does not end inside a character. */
export function completeUtf8(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte >= 0x80 && byte < 0xc0) continue;
    return characterSize(byte) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
