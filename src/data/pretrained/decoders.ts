import { byteCharacters } from '../byte-vocabulary.js';
import { elements, field, type Json } from '../json.js';
import { patternOf } from './library.js';
import { makerOf } from './normalizers.js';

/** Tokens to texts, which joined are the text. */
export type Decode = (tokens: readonly string[]) => readonly string[];

const byteOf = new Map(byteCharacters.map((character, byte) => [character, byte]));
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** A token with a character that stands for no byte is its own text. */
function bytesOf(token: string): Iterable<number> {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = byteOf.get(character);
    if (byte === undefined) return encoder.encode(token);
    bytes.push(byte);
  }
  return bytes;
}

const byteLevel: Decode = (tokens) => [decoder.decode(Uint8Array.from(tokens.flatMap((token) => [...bytesOf(token)])))];

const strict = new TextDecoder('utf-8', { ignoreBOM: true, fatal: true });

/** Bytes that form no text become one U+FFFD each. */
function textOfBytes(bytes: readonly number[]): string {
  try {
    return strict.decode(Uint8Array.from(bytes));
  } catch {
    return '\ufffd'.repeat(bytes.length);
  }
}

const byteFallback: Decode = (tokens) => {
  const texts: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length > 0) texts.push(textOfBytes(bytes));
    bytes = [];
  };
  for (const token of tokens) {
    const [, digits] = /^<0x([0-9A-Fa-f]{2})>$/.exec(token) ?? [];
    if (digits !== undefined) bytes.push(Number.parseInt(digits, 16));
    else {
      flush();
      texts.push(token);
    }
  }
  flush();
  return texts;
};

/** English as it is written, by the order of the replacements in tokenizers. */
const contractions = [
  ...[' .', ' ?', ' !', ' ,'].map((text) => [text, text.trim()] as const),
  [" ' ", "'"] as const,
  [" n't", "n't"] as const,
  [" 'm", "'m"] as const,
  [' do not', " don't"] as const,
  ...[" 's", " 've", " 're"].map((text) => [text, text.trim()] as const),
];
const cleanUp = (text: string): string => contractions.reduce((done, [from, to]) => done.replaceAll(from, to), text);

function wordPiece(config: Json): Decode {
  const prefix = String(field(config, 'prefix') ?? '##');
  const cleans = field(config, 'cleanup') !== false;
  return (tokens) =>
    tokens.map((token, i) => {
      const continues = token.startsWith(prefix);
      const text = i === 0 ? token : continues ? token.slice(prefix.length) : ` ${token}`;
      return cleans ? cleanUp(text) : text;
    });
}

function metaspace(config: Json): Decode {
  const replacement = String(field(config, 'replacement') ?? '\u2581');
  const older = field(config, 'add_prefix_space') === false ? 'never' : 'always';
  const begins = String(field(config, 'prepend_scheme') ?? older) !== 'never';
  return (tokens) => tokens.map((token, i) => token.replaceAll(replacement, i === 0 && begins ? '' : ' '));
}

function strip(config: Json): Decode {
  const content = String(field(config, 'content') ?? '');
  const count = (key: string): number => Number(field(config, key) ?? 0);
  return (tokens) =>
    tokens.map((token) => {
      const characters = [...token];
      let [from, to] = [0, characters.length];
      while (from < count('start') && characters[from] === content) from++;
      while (to > characters.length - count('stop') && characters[to - 1] === content) to--;
      return characters.slice(from, Math.max(from, to)).join('');
    });
}

function ctc(config: Json): Decode {
  const [pad, delimiter] = [String(field(config, 'pad_token')), String(field(config, 'word_delimiter_token'))];
  const cleans = field(config, 'cleanup') !== false;
  return (tokens) =>
    tokens
      .filter((token, i) => token !== tokens[i - 1])
      .map((token) => token.replaceAll(pad, ''))
      .map((text) => (cleans ? cleanUp(text).replaceAll(delimiter, ' ') : text))
      .filter((text) => text !== '');
}

function replace(config: Json): Decode {
  const content = String(field(config, 'content') ?? '');
  const pattern = patternOf(config);
  return (tokens) => tokens.map((token) => token.replaceAll(pattern, () => content));
}

const kinds: Readonly<Record<string, (config: Json) => Decode>> = {
  BPEDecoder: (config) => {
    const suffix = String(field(config, 'suffix') ?? '</w>');
    return (tokens) => tokens.map((token, i) => token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '));
  },
  ByteFallback: () => byteFallback,
  ByteLevel: () => byteLevel,
  CTC: ctc,
  Fuse: () => (tokens) => [tokens.join('')],
  Metaspace: metaspace,
  Replace: replace,
  Sequence: (config) => {
    const steps = elements(field(config, 'decoders')).map(decoderOf);
    return (tokens) => steps.reduce<readonly string[]>((texts, step) => step(texts), tokens);
  },
  Strip: strip,
  WordPiece: wordPiece,
};

/** What a `decoder` of tokenizer.json does. @throws SluiceError `format` that names a kind it does not know. */
export function decoderOf(config: Json | undefined): Decode {
  return makerOf('decoder', kinds, config)?.(config ?? null) ?? ((tokens) => [tokens.join(' ')]);
}
