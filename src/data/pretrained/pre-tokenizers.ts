import { SluiceError } from '../../base/errors.js';
import { byteCharacters } from '../byte-vocabulary.js';
import { elements, field, type Json } from '../json.js';
import { patternOf } from './library.js';
import { makerOf } from './normalizers.js';
import { escapeRegExp, notSpace, punctuation, space, word } from './unicode.js';

/** Cuts a text into words; `isFirst` where the text began with it. */
export type PreTokenize = (text: string, isFirst: boolean) => readonly string[];

interface Stretch {
  readonly text: string;
  readonly isMatch: boolean;
}

/** A text cut where a pattern matches, nothing left out. */
function cut(text: string, pattern: RegExp): Stretch[] {
  const stretches: Stretch[] = [];
  let done = 0;
  for (const { 0: match, index } of text.matchAll(pattern)) {
    if (match === '') continue;
    if (index > done) stretches.push({ text: text.slice(done, index), isMatch: false });
    stretches.push({ text: match, isMatch: true });
    done = index + match.length;
  }
  if (done < text.length) stretches.push({ text: text.slice(done), isMatch: false });
  return stretches;
}

const textsOf = (stretches: readonly Stretch[]): string[] => stretches.map(({ text }) => text);

/** Puts each match to what was before it, unless that is a match too. */
function mergedWithPrevious(stretches: readonly Stretch[]): string[] {
  const texts: string[] = [];
  let previous = false;
  for (const { text, isMatch } of stretches) {
    if (isMatch && !previous && texts.length > 0) texts[texts.length - 1] += text;
    else texts.push(text);
    previous = isMatch;
  }
  return texts;
}

function mergedWithNext(stretches: readonly Stretch[]): string[] {
  const texts: string[] = [];
  let next = false;
  for (const { text, isMatch } of stretches.toReversed()) {
    if (isMatch && !next && texts.length > 0) texts[texts.length - 1] = text + texts.at(-1);
    else texts.push(text);
    next = isMatch;
  }
  return texts.reverse();
}

function contiguous(stretches: readonly Stretch[]): string[] {
  const texts: string[] = [];
  stretches.forEach(({ text, isMatch }, i) => {
    if (i > 0 && stretches[i - 1]?.isMatch === isMatch) texts[texts.length - 1] += text;
    else texts.push(text);
  });
  return texts;
}

/** What becomes of what separates, by tokenizer.json's names in lower case. */
const behaviors: Readonly<Record<string, (stretches: readonly Stretch[]) => string[]>> = {
  removed: (stretches) => textsOf(stretches.filter(({ isMatch }) => !isMatch)),
  isolated: textsOf,
  mergedwithprevious: mergedWithPrevious,
  mergedwithnext: mergedWithNext,
  contiguous,
};

function splitter(pattern: RegExp, behavior: Json | undefined, invert = false): PreTokenize {
  const name = String(behavior).toLowerCase();
  const join = Object.hasOwn(behaviors, name) ? behaviors[name] : undefined;
  if (join === undefined) {
    throw new SluiceError('format', {
      rule: `the behavior of a split in tokenizer.json is one of ${Object.keys(behaviors).join(', ')}`,
      received: name,
      remedy: 'Fetch tokenizer.json anew.',
    });
  }
  return (text) => {
    const stretches = cut(text, pattern);
    return join(invert ? stretches.map((one) => ({ ...one, isMatch: !one.isMatch })) : stretches);
  };
}

const split = (config: Json): PreTokenize =>
  splitter(patternOf(config), field(config, 'behavior'), field(config, 'invert') === true);

// GPT-2's words, with Rust's white space.
const gpt2 = new RegExp(
  `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${space}\\p{L}\\p{N}]+|${space}+(?!${notSpace})|${space}+`,
  'gu',
);
const encoder = new TextEncoder();
const toBytes = (text: string): string =>
  Array.from(encoder.encode(text), (byte) => byteCharacters[byte] ?? '').join('');

function byteLevel(config: Json): PreTokenize {
  const [prefix, words] = [field(config, 'add_prefix_space') === true, field(config, 'use_regex') !== false];
  return (text) => {
    const whole = prefix && !text.startsWith(' ') ? ` ${text}` : text;
    return (words ? (whole.match(gpt2) ?? []) : [whole]).map(toBytes);
  };
}

function metaspace(config: Json): PreTokenize {
  const replacement = String(field(config, 'replacement') ?? '\u2581');
  const older = field(config, 'add_prefix_space') === false ? 'never' : 'always';
  const scheme = String(field(config, 'prepend_scheme') ?? older);
  const separate = splitter(new RegExp(escapeRegExp(replacement), 'gu'), 'mergedwithnext');
  return (text, isFirst) => {
    const spaced = text.replaceAll(' ', replacement);
    const begins = scheme === 'always' || (scheme === 'first' && isFirst);
    const whole = begins && !spaced.startsWith(replacement) ? replacement + spaced : spaced;
    return field(config, 'split') === false ? [whole] : separate(whole, isFirst);
  };
}

const fixed =
  (length: number): PreTokenize =>
  (text) => {
    const characters = [...text];
    return Array.from({ length: Math.ceil(characters.length / length) }, (_, i) =>
      characters.slice(i * length, (i + 1) * length).join(''),
    );
  };

const pattern = (source: string): RegExp => new RegExp(source, 'gu');

const kinds: Readonly<Record<string, (config: Json) => PreTokenize>> = {
  BertPreTokenizer: () => {
    const marks = splitter(pattern(punctuation), 'isolated');
    const words = splitter(pattern(space), 'removed');
    return (text, isFirst) => words(text, isFirst).flatMap((one) => marks(one, isFirst));
  },
  ByteLevel: byteLevel,
  CharDelimiterSplit: (config) => splitter(pattern(escapeRegExp(String(field(config, 'delimiter')))), 'removed'),
  Digits: (config) =>
    splitter(pattern('\\p{N}'), field(config, 'individual_digits') === true ? 'isolated' : 'contiguous'),
  FixedLength: (config) => fixed(Number(field(config, 'length') ?? 5)),
  Metaspace: metaspace,
  Punctuation: (config) => splitter(pattern(punctuation), field(config, 'behavior') ?? 'isolated'),
  Sequence: (config) => {
    const steps = elements(field(config, 'pretokenizers')).map(preTokenizerOf);
    return (text, isFirst) =>
      steps.reduce<readonly string[]>(
        (words, step) => words.flatMap((one, i) => step(one, isFirst && i === 0)),
        [text],
      );
  },
  Split: split,
  Whitespace: () => splitter(pattern(`${word}+|(?:(?!${word})${notSpace})+`), 'removed', true),
  WhitespaceSplit: () => splitter(pattern(space), 'removed'),
};

/** What a `pre_tokenizer` of tokenizer.json does. @throws SluiceError `format` that names a kind it does not know. */
export function preTokenizerOf(config: Json | undefined): PreTokenize {
  return makerOf('pre_tokenizer', kinds, config)?.(config ?? null) ?? ((text) => [text]);
}
