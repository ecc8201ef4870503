import { unfinishedAt } from './pieces.js';
import { endOfTextToken } from './tokenizer.js';

/**
 * How a text is cut into words before byte pairs are merged: English contractions; letters with their combining marks
 * and at most one character before them; single digits; other signs with the newlines after them; white space.
 * It is the split of Qwen 3.5 in Oniguruma's syntax, which llama.cpp knows as pre-tokenizer `qwen35`.
 */
export const splitPattern =
  "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}" +
  '| ?[^\\s\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

// JavaScript's \s differs from Oniguruma's: it has U+FEFF and lacks U+0085.
const javascriptPattern = splitPattern.replaceAll('\\s', '\\p{White_Space}').replaceAll('\\S', '\\P{White_Space}');

/** The words of a text; joined they are the text. */
export function splitWords(text: string): string[] {
  return text.match(new RegExp(javascriptPattern, 'gu')) ?? [];
}

const wordCharacter = /[\p{L}\p{M}\p{N}]/u;
const digit = /\p{N}/u;

/**
 * The last index at or after `from` where a word ends whatever follows: after a digit, or between a letter or mark
 * and a character that is neither. No alternative of the pattern crosses such a place and none looks behind. 0 for none.
 */
export function wordBoundary(text: string, from: number): number {
  let index = unfinishedAt(text, endOfTextToken);
  if (index === text.length) index--;
  for (; index > Math.max(0, from); index--) {
    const before = characterBefore(text, index);
    if (!wordCharacter.test(before) || inSpecial(text, index)) continue;
    const after = String.fromCodePoint(text.codePointAt(index) ?? 0);
    if (digit.test(before) || !wordCharacter.test(after) || digit.test(after)) return index;
  }
  return 0;
}

/** The character that ends at an index; the empty text inside a surrogate pair. */
function characterBefore(text: string, index: number): string {
  const unit = text.charCodeAt(index - 1);
  if (unit < 0xd800 || unit > 0xdfff) return text.charAt(index - 1);
  return unit >= 0xdc00 ? text.slice(Math.max(0, index - 2), index) : '';
}

function inSpecial(text: string, index: number): boolean {
  const reach = endOfTextToken.length - 1;
  return text.slice(Math.max(0, index - reach), index + reach).includes(endOfTextToken);
}
