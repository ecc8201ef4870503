import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import { ignoreIndex } from '../../src/data/batches.js';
import { ByteTokenizer } from '../../src/data/byte-tokenizer.js';
import { MarkedTokenizer, marksAt } from '../../src/data/marked-tokenizer.js';
import { marksOf } from '../../src/data/marks.js';
import { type MaskVocabulary, markRows, maskRows, maskVocabulary, windowBatches } from '../../src/data/masking.js';
import { MemoryTokens } from '../../src/data/token-source.js';
import { tokenizerFromFiles } from '../../src/data/tokenizer-files.js';

const tokenizer = new MarkedTokenizer(new ByteTokenizer());
const marks = marksAt(tokenizer.vocabularySize);
const vocabulary: MaskVocabulary = maskVocabulary(tokenizer, marks);
const end = tokenizer.endOfText ?? -1;

describe('a marked tokenizer', () => {
  test('has four tokens more, and reads its own files back', () => {
    const again = tokenizerFromFiles(tokenizer.toFiles());
    expect(again).toBeInstanceOf(MarkedTokenizer);
    expect(again.vocabularySize).toBe(257 + 4);
    expect(again.toFiles()).toEqual(tokenizer.toFiles());
    expect(marksOf(again)).toEqual({ start: 258, end: 259, mask: 260 });
  });

  test('takes marks that are spelled out, and gives them back', () => {
    const text = 'a [MASK] and [CLS][SEP]';
    const ids = tokenizer.encode(text);
    expect(ids.includes(marks.mask)).toBe(true);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.encode('[MASK]')).toEqual(Uint32Array.of(marks.mask));
    expect(tokenizer.decode(tokenizer.encode('plain'))).toBe('plain');
    expect(tokenizer.tokenByteLength(marks.mask)).toBe(0);
    const stream = tokenizer.streamDecoder();
    expect([...ids].map((id) => stream.push(id)).join('') + stream.flush()).toBe(text);
  });

  test('a tokenizer without marks is refused with the remedy', () => {
    expect(() => marksOf(new ByteTokenizer())).toThrow('[CLS] and [SEP]');
  });
});

describe('rows', () => {
  test('stand between marks, each one text', () => {
    const { tokens, spans, batch, time } = markRows(
      [
        [1, 2],
        [3, 4],
      ],
      vocabulary,
    );
    expect([batch, time, spans]).toEqual([2, 4, undefined]);
    expect([...tokens]).toEqual([marks.start, 1, 2, marks.end, marks.start, 3, 4, marks.end]);
  });

  test('of several documents let a token see its own alone', () => {
    const { spans } = markRows([[1, end, 2, 3, end]], vocabulary);
    // [CLS] 1 <end> | 2 3 <end> [SEP]
    expect([...(spans ?? [])]).toEqual([0, 3, 0, 3, 0, 3, 3, 7, 3, 7, 3, 7, 3, 7]);
  });
});

describe('hiding', () => {
  const window = Array.from({ length: 20_000 }, (_, i) => 97 + (i % 26));
  const rows = markRows([window], vocabulary);
  const options = { share: 0.15, wholeWords: false, key: randomKey(1, 'noise') };

  test('chooses the share asked for: 80 % hidden, 10 % another token, 10 % as they are', () => {
    const masked = maskRows(rows, vocabulary, options);
    expect(masked.chosen / window.length).toBeCloseTo(0.15, 1);
    const places = [...masked.places].slice(0, masked.chosen);
    const shareOf = (fits: (place: number) => boolean): number => places.filter(fits).length / places.length;
    expect(shareOf((place) => masked.tokens[place] === marks.mask)).toBeCloseTo(0.8, 1);
    expect(shareOf((place) => masked.tokens[place] === rows.tokens[place])).toBeCloseTo(0.1, 1);
  });

  test('keeps what is not chosen, and says what was where it is', () => {
    const masked = maskRows(rows, vocabulary, options);
    const chosen = new Set([...masked.places].slice(0, masked.chosen));
    rows.tokens.forEach((token, place) => {
      if (!chosen.has(place)) expect(masked.tokens[place]).toBe(token);
    });
    masked.places.forEach((place, i) => {
      expect(masked.targets[i]).toBe(i < masked.chosen ? rows.tokens[place] : ignoreIndex);
    });
    expect(masked.places.length % 64).toBe(0);
    expect(chosen.has(0) || chosen.has(rows.time - 1)).toBe(false);
  });

  test('depends on the key alone', () => {
    expect(maskRows(rows, vocabulary, options)).toEqual(maskRows(rows, vocabulary, options));
    expect(maskRows(rows, vocabulary, { ...options, key: randomKey(2, 'noise') })).not.toEqual(
      maskRows(rows, vocabulary, options),
    );
  });

  test('of whole words takes all tokens of a word or none', () => {
    const text = 'whale ship '.repeat(400);
    const words = markRows([tokenizer.encode(text)], vocabulary);
    const masked = maskRows(words, vocabulary, { ...options, share: 0.3, wholeWords: true });
    const chosen = new Set([...masked.places].slice(0, masked.chosen));
    for (const { index, 0: word } of text.matchAll(/\w+/g)) {
      const taken = [...word].filter((_, i) => chosen.has(1 + index + i)).length;
      expect([0, word.length]).toContain(taken);
    }
  });

  test('a text too short for its share has one token hidden', () => {
    expect(maskRows(markRows([[97]], vocabulary), vocabulary, { ...options, share: 1e-6 }).chosen).toBe(1);
  });
});

test('windows cover a text to its end, the last one beginning in the one before', async () => {
  const source = new MemoryTokens([0, 1, 2, 3, 4, 5, 6]);
  const all: number[][] = [];
  for await (const { windows } of windowBatches(source, { batch: 2, length: 3 })) {
    all.push(...windows.map((window) => Array.from(window)));
  }
  expect(all).toEqual([
    [0, 1, 2],
    [3, 4, 5],
    [4, 5, 6],
  ]);
});
