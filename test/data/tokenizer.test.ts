import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { trainBpe } from '../../src/data/bpe-trainer.js';
import { ByteTokenizer } from '../../src/data/byte-tokenizer.js';
import { CharTokenizer, collectCharacters } from '../../src/data/char-tokenizer.js';
import { piecesOf } from '../../src/data/pieces.js';
import { PretrainedTokenizer } from '../../src/data/pretrained-tokenizer.js';
import { encodeAll, type Tokenizer, tokenByteLengths } from '../../src/data/tokenizer.js';
import { tokenizerFromFiles } from '../../src/data/tokenizer-files.js';
import { utf8Length } from '../../src/data/utf8.js';
import { anyText, collect, cutText, trickyTexts } from './samples.js';

const library = (tokenizer: Tokenizer): PretrainedTokenizer => {
  const files = JSON.parse(JSON.stringify(tokenizer.toFiles()));
  return new PretrainedTokenizer(files['tokenizer.json'], files['tokenizer_config.json']);
};

const own: Record<string, { make: () => Promise<Tokenizer>; texts: fc.Arbitrary<string> }> = {
  char: {
    make: async () => new CharTokenizer(await collectCharacters(piecesOf(trickyTexts))),
    texts: fc
      .array(fc.constantFrom(...trickyTexts.join('')).filter((c) => !/\p{Surrogate}/u.test(c)))
      .map((c) => c.join('')),
  },
  'char with an end of text': {
    make: async () =>
      new CharTokenizer(await collectCharacters(piecesOf(trickyTexts), { endOfText: true }), { endOfText: true }),
    texts: fc
      .array(fc.constantFrom('a', ' ', '\n', '，', '<|endoftext|>', '<', '|', 'e', 'n', 'd'))
      .map((c) => c.join('')),
  },
  byte: { make: async () => new ByteTokenizer(), texts: anyText },
  bpe: { make: () => trainBpe(piecesOf([...trickyTexts, ...trickyTexts]), { vocabularySize: 400 }), texts: anyText },
};

describe.each(Object.keys(own))('the tokenizer %s', (name) => {
  let tokenizer: Tokenizer;
  let texts: fc.Arbitrary<string>;
  beforeAll(async () => {
    const entry = own[name];
    if (entry === undefined) throw new Error(name);
    tokenizer = await entry.make();
    texts = entry.texts;
  });

  const everyText = (check: (text: string) => void): void => {
    for (const text of trickyTexts) check(text);
    fc.assert(fc.property(texts, check), { numRuns: 1500 });
  };

  test('gives back every text exactly', () => {
    everyText((text) => {
      const ids = tokenizer.encode(text);
      expect(tokenizer.decode(ids)).toBe(text);
      expect(ids.every((id) => id < tokenizer.vocabularySize)).toBe(true);
    });
  });

  test("gives the ids and the text of Hugging Face's library reading its files", () => {
    const other = library(tokenizer);
    expect(other.vocabularySize).toBe(tokenizer.vocabularySize);
    expect(other.endOfText).toBe(tokenizer.endOfText);
    everyText((text) => {
      const ids = tokenizer.encode(text);
      expect([...other.encode(text)]).toEqual([...ids]);
      expect(other.decode(ids)).toBe(text);
    });
  });

  test('comes back from its files as the same kind with the same ids', () => {
    const again = tokenizerFromFiles(JSON.parse(JSON.stringify(tokenizer.toFiles())));
    expect(again.kind).toBe(tokenizer.kind);
    expect(again.toFiles()).toEqual(tokenizer.toFiles());
    for (const text of trickyTexts) expect(again.encode(text)).toEqual(tokenizer.encode(text));
  });

  test('decodes a stream of ids to the same text without ever giving part of a character', () => {
    const anyIds = fc.array(fc.integer({ min: 0, max: tokenizer.vocabularySize - 1 }), { maxLength: 30 });
    const stream = tokenizer.streamDecoder();
    const check = (ids: ArrayLike<number>, whole: boolean): void => {
      let text = '';
      for (const id of Array.from(ids)) {
        const part = stream.push(id);
        if (whole) expect(part).not.toContain('\ufffd');
        expect(part).not.toMatch(/\p{Surrogate}/u);
        text += part;
      }
      expect(text + stream.flush()).toBe(tokenizer.decode(ids));
    };
    everyText((text) => check(tokenizer.encode(text), !text.includes('\ufffd')));
    fc.assert(
      fc.property(anyIds, (ids) => check(ids, false)),
      { numRuns: 500 },
    );
  });

  test('gives the same ids however the text is cut into pieces', async () => {
    await fc.assert(
      fc.asyncProperty(texts, fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }), async (text, sizes) => {
        const ids = (await collect(encodeAll(tokenizer, cutText(text, sizes)))).flatMap((part) => [...part]);
        expect(ids).toEqual([...tokenizer.encode(text)]);
      }),
      { numRuns: 1500 },
    );
  });

  test("counts a text's bytes token by token, the end of text as none", () => {
    const lengths = tokenByteLengths(tokenizer);
    const special = tokenizer.endOfText;
    if (special !== undefined) expect(lengths[special]).toBe(0);
    everyText((text) => {
      const ids = tokenizer.encode(text);
      const specials = ids.filter((id) => id === special).length;
      const bytes = ids.reduce((sum, id) => sum + (lengths[id] ?? 0), 0);
      expect(bytes + 13 * specials).toBe(utf8Length(text));
    });
  });

  test('ends each document with the end of text, where it has one', async () => {
    const ids = (await collect(encodeAll(tokenizer, piecesOf(['a', 'a'])))).flatMap((part) => [...part]);
    const end = tokenizer.endOfText === undefined ? [] : [tokenizer.endOfText];
    expect(ids).toEqual([...tokenizer.encode('a'), ...end, ...tokenizer.encode('a'), ...end]);
  });

  test('reports the bytes and tokens done', async () => {
    const seen: { bytes: number; tokens: number }[] = [];
    const parts = await collect(encodeAll(tokenizer, piecesOf(['a，', 'a']), (progress) => seen.push(progress)));
    const tokens = parts.reduce((sum, part) => sum + part.length, 0);
    expect(seen.at(-1)).toEqual({ bytes: 5, tokens });
  });

  test('refuses a lone surrogate and an id outside the vocabulary', () => {
    expect(() => tokenizer.encode('a\ud83d')).toThrow(expect.objectContaining({ code: 'data' }));
    for (const id of [-1, tokenizer.vocabularySize, 0.5, Number.NaN]) {
      expect(() => tokenizer.decode([id])).toThrow(expect.objectContaining({ code: 'argument' }));
      expect(() => tokenizer.streamDecoder().push(id)).toThrow(expect.objectContaining({ code: 'argument' }));
      expect(() => tokenizer.tokenByteLength(id)).toThrow(expect.objectContaining({ code: 'argument' }));
    }
  });

  test('says in its files that spaces stay and that models get no token types', () => {
    expect(tokenizer.toFiles()['tokenizer_config.json']).toMatchObject({
      clean_up_tokenization_spaces: false,
      model_input_names: ['input_ids', 'attention_mask'],
    });
  });
});
