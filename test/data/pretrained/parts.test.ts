/** What `conformance/parity_tokenizers.py` found to matter, on inputs whose answers the Rust tokenizers gave. */
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../../src/data/json.js';
import { type AddedToken, TokenFinder } from '../../../src/data/pretrained/added-tokens.js';
import { decoderOf } from '../../../src/data/pretrained/decoders.js';
import { frameOf } from '../../../src/data/pretrained/framing.js';
import { normalizerOf } from '../../../src/data/pretrained/normalizers.js';
import { preTokenizerOf } from '../../../src/data/pretrained/pre-tokenizers.js';
import { PretrainedTokenizer } from '../../../src/data/pretrained-tokenizer.js';

const words = (config: JsonObject, text: string, isFirst = true): readonly string[] =>
  preTokenizerOf(config)(text, isFirst);
const decode = (config: JsonObject, ...tokens: string[]): string => decoderOf(config)(tokens).join('');

const finder = (changes: Partial<AddedToken>): TokenFinder => {
  const plain = { singleWord: false, lstrip: false, rstrip: false, normalized: false, special: false };
  return new TokenFinder([{ id: 7, content: 'the', ...plain, ...changes }], ({ content }) => content);
};

describe('an added token', () => {
  test('is found anywhere, or as a word of its own', () => {
    expect(finder({}).split('the other')).toEqual([7, ' o', 7, 'r']);
    expect(finder({ singleWord: true }).split('the other the_')).toEqual([7, ' other the_']);
  });

  test('takes the white space before it or behind it, U+0085 but not U+FEFF', () => {
    expect(finder({ lstrip: true }).split('a \u0085the b')).toEqual(['a', 7, ' b']);
    expect(finder({ rstrip: true }).split('the \ufeffb')).toEqual([7, '\ufeffb']);
  });

  test('that is longest wins', () => {
    const plain = { singleWord: false, lstrip: false, rstrip: false, normalized: false, special: false };
    const tokens = ['<a', '<a>', '<ab>'].map((content, id) => ({ id, content, ...plain }));
    expect(new TokenFinder(tokens, ({ content }) => content).split('<ab><a><a')).toEqual([2, 1, 0]);
  });
});

describe('words', () => {
  test('of GPT-2 know the white space of Rust', () => {
    const config = { type: 'ByteLevel', add_prefix_space: false };
    expect(words(config, '\u2009\u2009\ufeffa')[0]).toBe('âĢī');
    expect(words({ ...config, add_prefix_space: true }, "I'm")).toEqual(['ĠI', "'m"]);
  });

  test('of BERT part at punctuation of Unicode 8', () => {
    expect(words({ type: 'BertPreTokenizer' }, "don't  go!")).toEqual(['don', "'", 't', 'go', '!']);
    expect(words({ type: 'BertPreTokenizer' }, 'a\u2e55b\u2e42c')).toEqual(['a\u2e55b', '\u2e42', 'c']);
  });

  test('of SentencePiece begin with their space, the first of a text as the scheme says', () => {
    const config = { type: 'Metaspace', replacement: '▁', prepend_scheme: 'first' };
    expect(words(config, 'a b  c')).toEqual(['▁a', '▁b', '▁', '▁c']);
    expect(words(config, 'a b', false)).toEqual(['a', '▁b']);
    expect(words({ ...config, split: false }, 'a b')).toEqual(['▁a▁b']);
  });

  test.each([
    ['Removed', ['a', 'b', 'c']],
    ['Isolated', ['a', '-', 'b', '-', '-', 'c']],
    ['Contiguous', ['a', '-', 'b', '--', 'c']],
    ['MergedWithPrevious', ['a-', 'b-', '-', 'c']],
    ['MergedWithNext', ['a', '-b', '-', '-c']],
  ])('are split with the separator %s', (behavior, expected) => {
    expect(words({ type: 'Split', pattern: { String: '-' }, behavior, invert: false }, 'a-b--c')).toEqual(expected);
  });
});

test('BERT drops accents and controls, spaces Chinese, and lowers character by character', () => {
  const normalize = normalizerOf({ type: 'BertNormalizer' });
  expect(normalize('Crème\u0000 ΟΔΟΣ\t漢字')).toBe('creme οδοσ  漢  字 ');
});

describe('decoding', () => {
  test('gives one U+FFFD for each byte that completes nothing', () => {
    const fallback = { type: 'ByteFallback' };
    expect(decode(fallback, 'a', '<0xE2>', '<0x82>', 'b', '<0xC3>', '<0xA9>')).toBe('a\ufffd\ufffdbé');
  });

  test('of WordPiece joins and tidies', () => {
    const config = { type: 'WordPiece', prefix: '##', cleanup: true };
    expect(decode(config, 'do', "n't", 'sto', '##p', '.')).toBe("don't stop.");
  });

  test('of SentencePiece leaves the first space out', () => {
    expect(decode({ type: 'Metaspace', replacement: '▁' }, '▁a', '▁b')).toBe('a b');
  });
});

describe('framing', () => {
  const texts = [Uint32Array.of(5), Uint32Array.of(6, 7)];
  test('by BERT and RoBERTa differs in separators and types', () => {
    const ends = { cls: ['[CLS]', 1], sep: ['[SEP]', 2] };
    const bert = frameOf({ type: 'BertProcessing', ...ends })(texts);
    expect([[...bert.ids], [...bert.types]]).toEqual([
      [1, 5, 2, 6, 7, 2],
      [0, 0, 0, 1, 1, 1],
    ]);
    const roberta = frameOf({ type: 'RobertaProcessing', ...ends })(texts);
    expect([[...roberta.ids], [...roberta.types]]).toEqual([
      [1, 5, 2, 2, 6, 7, 2],
      [0, 0, 0, 0, 0, 0, 0],
    ]);
  });
});

test('a part that is not known is refused by its name', () => {
  const model = { type: 'WordPiece', unk_token: '[UNK]', vocab: { '[UNK]': 0, a: 1 } };
  const open = (parts: JsonObject) => new PretrainedTokenizer({ model, added_tokens: [], ...parts }, {});
  expect(() => open({ pre_tokenizer: { type: 'UnicodeScripts' } })).toThrow(/pre_tokenizer.*received "?UnicodeScripts/);
  expect(() => open({ normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAA=' } })).toThrow(
    /size of its table/,
  );
  expect(() => open({ model: { type: 'Quantum' } })).toThrow(/Quantum/);
});
