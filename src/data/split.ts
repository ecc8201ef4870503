import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';

const newline = 0x0a;
const carriageReturn = 0x0d;

/** What share of a text is held out for validation, at its end. */
export const defaultFraction = 0.1;

/** Where a split is aimed at, and how far from there a better place is looked for: a tenth of the smaller part. */
export function splitTarget(length: number, fraction: number): { target: number; near: number } {
  if (!(fraction > 0 && fraction < 1)) {
    throw new SluiceError('argument', {
      rule: 'The share held out for validation must lie between 0 and 1',
      received: fraction,
      remedy: 'Write for example 0.1.',
    });
  }
  const target = length - Math.max(1, Math.round(length * fraction));
  return { target, near: Math.min(65_536, Math.floor((length * Math.min(fraction, 1 - fraction)) / 10)) };
}

/** The error of a corpus with no place to cut. */
export function tooShortToSplit(length: number): SluiceError {
  return new SluiceError('data', {
    rule: 'A corpus must be long enough to be split into a training and a validation part',
    received: plural(length, 'byte'),
    remedy: 'Use a longer text.',
  });
}

const endsLine = (bytes: Uint8Array, at: number): boolean => bytes[at - 1] === newline;

/** After an empty line, before the next paragraph. */
function endsParagraph(bytes: Uint8Array, at: number): boolean {
  if (!endsLine(bytes, at) || bytes[at] === newline || bytes[at] === carriageReturn) return false;
  const line = bytes[at - 2] === carriageReturn ? at - 2 : at - 1;
  return bytes[line - 1] === newline;
}

/** Between two characters, and not inside a line's end of two. */
const endsCharacter = (bytes: Uint8Array, at: number): boolean =>
  ((bytes[at] ?? 0) & 0xc0) !== 0x80 && !(bytes[at] === newline && bytes[at - 1] === carriageReturn);

/**
 * The place to cut UTF-8 text in two: the end of a paragraph within `near` bytes of `target`, else the end of a line
 * there, else the nearest end of a character. Both parts keep at least one byte; undefined when that cannot be.
 */
export function cutNear(bytes: Uint8Array, target: number, near: number): number | undefined {
  const nearest = (reach: number, fits: (bytes: Uint8Array, at: number) => boolean): number | undefined => {
    for (let distance = 0; distance <= reach; distance++) {
      for (const at of [target - distance, target + distance]) {
        if (at > 0 && at < bytes.length && fits(bytes, at)) return at;
      }
    }
    return undefined;
  };
  return nearest(near, endsParagraph) ?? nearest(near, endsLine) ?? nearest(bytes.length, endsCharacter);
}

/** Splits a text in memory: the last `fraction` of its bytes, from a paragraph, line or character on, is validation. */
export function splitText(text: string, fraction = defaultFraction): { training: string; validation: string } {
  const bytes = new TextEncoder().encode(text);
  const { target, near } = splitTarget(bytes.length, fraction);
  const cut = cutNear(bytes, target, near);
  if (cut === undefined) throw tooShortToSplit(bytes.length);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  return { training: decoder.decode(bytes.subarray(0, cut)), validation: decoder.decode(bytes.subarray(cut)) };
}
