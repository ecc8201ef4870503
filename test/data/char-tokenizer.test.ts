import { expect, test } from 'vitest';
import { CharTokenizer, collectCharacters } from '../../src/data/char-tokenizer.js';
import { piecesOf } from '../../src/data/pieces.js';
import { PretrainedTokenizer } from '../../src/data/pretrained-tokenizer.js';
import { cutText } from './samples.js';

test('ids follow the order of code points, not of UTF-16 units', async () => {
  expect(await collectCharacters(piecesOf('b\uff5e🐳a\nb'))).toEqual(['\n', 'a', 'b', '\uff5e', '🐳']);
});

test('the end of text is the last id, and its letters are no characters of the text', async () => {
  const characters = await collectCharacters(cutText('ab<|endoftext|>ba', [5]), { endOfText: true });
  expect(characters).toEqual(['a', 'b']);
  const tokenizer = new CharTokenizer(characters, { endOfText: true });
  expect(tokenizer.endOfText).toBe(2);
  expect([...tokenizer.encode('ab<|endoftext|>b')]).toEqual([0, 1, 2, 1]);
});

test('without an end of text its name is read as characters', async () => {
  const tokenizer = new CharTokenizer(await collectCharacters(piecesOf('<|endoftext|>')));
  expect(tokenizer.vocabularySize).toBe(10);
  expect(tokenizer.encode('<|endoftext|>').length).toBe(13);
});

test('an unknown character is refused by name, with a remedy', () => {
  const tokenizer = new CharTokenizer(['a', 'b']);
  expect(() => tokenizer.encode('abé')).toThrow(/its 2 characters only.*é \(U\+00E9\).*byte/);
  expect(() => tokenizer.encode('🐳')).toThrow(/🐳 \(U\+1F433\)/);
  expect(() => tokenizer.encode('abé')).toThrow(expect.objectContaining({ code: 'data' }));
});

test("Hugging Face's library, reading the files, has no id for an unknown character either", () => {
  const files = new CharTokenizer(['a', 'b']).toFiles();
  const library = new PretrainedTokenizer(files['tokenizer.json'], files['tokenizer_config.json']);
  expect([...library.encode('ba')]).toEqual([1, 0]);
  expect(() => library.encode('bé')).toThrow(/no token for the unknown/);
});

test('characters must be single code points, each once, at least one', () => {
  for (const characters of [[], ['ab'], ['a', 'a'], ['']]) {
    expect(() => new CharTokenizer(characters)).toThrow(expect.objectContaining({ code: 'argument' }));
  }
  expect(() => new CharTokenizer(['\ud83d'])).toThrow(expect.objectContaining({ code: 'data' }));
});
