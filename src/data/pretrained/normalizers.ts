import { SluiceError } from '../../base/errors.js';
import { byteCharacters } from '../byte-vocabulary.js';
import { elements, field, type Json } from '../json.js';
import { patternOf } from './library.js';
import { Precompiled } from './precompiled.js';
import { chinese, control, nmtDropped, nmtSpace, nonspacingMark, space } from './unicode.js';

export type Normalize = (text: string) => string;

const everyControl = new RegExp(control, 'gu');
const everySpace = new RegExp(space, 'gu');
const everyChinese = new RegExp(chinese, 'gu');
const everyAccent = new RegExp(nonspacingMark, 'gu');
const everyNmtDropped = new RegExp(nmtDropped, 'gu');
const everyNmtSpace = new RegExp(nmtSpace, 'gu');
const leadingSpace = new RegExp(`^${space}+`, 'u');
const trailingSpace = new RegExp(`${space}+$`, 'u');

/** Character by character: a text as a whole would end a Greek word with another sigma. */
const lowercase: Normalize = (text) => {
  let result = '';
  for (const character of text) result += character.toLowerCase();
  return result;
};
const removeAccents: Normalize = (text) => text.normalize('NFD').replaceAll(everyAccent, '');

const chain = (steps: readonly Normalize[]): Normalize => {
  return (text) => steps.reduce((done, step) => step(done), text);
};

function bert(config: Json): Normalize {
  const isOn = (key: string): boolean => field(config, key) !== false;
  const stripAccents = field(config, 'strip_accents') ?? field(config, 'lowercase') ?? true;
  return chain([
    ...(isOn('clean_text') ? [(text: string) => text.replaceAll(everyControl, '').replaceAll(everySpace, ' ')] : []),
    ...(isOn('handle_chinese_chars') ? [(text: string) => text.replaceAll(everyChinese, ' $& ')] : []),
    ...(stripAccents === true ? [removeAccents] : []),
    ...(isOn('lowercase') ? [lowercase] : []),
  ]);
}

function strip(config: Json): Normalize {
  const [left, right] = [field(config, 'strip_left') !== false, field(config, 'strip_right') !== false];
  return (text) => {
    const begun = left ? text.replace(leadingSpace, '') : text;
    return right ? begun.replace(trailingSpace, '') : begun;
  };
}

function replace(config: Json): Normalize {
  const content = String(field(config, 'content') ?? '');
  const pattern = patternOf(config);
  return (text) => text.replaceAll(pattern, () => content);
}

const encoder = new TextEncoder();

const kinds: Readonly<Record<string, (config: Json) => Normalize>> = {
  BertNormalizer: bert,
  ByteLevel: () => (text) => Array.from(encoder.encode(text), (byte) => byteCharacters[byte] ?? '').join(''),
  Lowercase: () => lowercase,
  ...Object.fromEntries(
    (['NFC', 'NFD', 'NFKC', 'NFKD'] as const).map((form) => [form, () => (text: string) => text.normalize(form)]),
  ),
  Nmt: () => (text) => text.replaceAll(everyNmtDropped, '').replaceAll(everyNmtSpace, ' '),
  Precompiled: (config) => {
    const table = new Precompiled(String(field(config, 'precompiled_charsmap') ?? ''));
    return (text) => table.normalize(text);
  },
  Prepend: (config) => (text) => (text === '' ? '' : String(field(config, 'prepend') ?? '') + text),
  Replace: replace,
  Sequence: (config) => chain(elements(field(config, 'normalizers')).map(normalizerOf)),
  Strip: strip,
  StripAccents: () => (text) => text.replaceAll(/\p{M}/gu, ''),
};

/** What a `normalizer` of tokenizer.json does. @throws SluiceError `format` that names a kind it does not know. */
export function normalizerOf(config: Json | undefined): Normalize {
  return makerOf('normalizer', kinds, config)?.(config ?? null) ?? ((text) => text);
}

/** The maker of the kind that a part of tokenizer.json is of; undefined for no part. */
export function makerOf<T>(part: string, known: Readonly<Record<string, T>>, config: Json | undefined): T | undefined {
  if (config === undefined || config === null) return undefined;
  const type = String(field(config, 'type'));
  if (Object.hasOwn(known, type)) return known[type];
  throw new SluiceError('format', {
    rule: `a ${part} of tokenizer.json is one of ${Object.keys(known).join(', ')}`,
    received: type,
    remedy: 'Choose a model with another tokenizer: without this part its texts would get other tokens.',
  });
}
