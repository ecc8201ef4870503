import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitWords, wordBoundary } from '../../src/data/pretokenizer.js';
import { endOfTextToken } from '../../src/data/tokenizer.js';
import { anyText } from './samples.js';

const words = (text: string): string[] => text.split(endOfTextToken).flatMap((section) => splitWords(section));

test('words join to the text', () => {
  fc.assert(
    fc.property(anyText, (text) => {
      expect(splitWords(text).join('')).toBe(text);
    }),
  );
});

test.each([
  ["They're here", ['They', "'re", ' here']],
  ["WE'LL don't", ['WE', "'LL", ' don', "'t"]],
  ['in 1851,\n\n  he', ['in', ' ', '1', '8', '5', '1', ',\n\n', ' ', ' he']],
  ['滾滾長江，浪花', ['滾滾長江', '，浪花']],
  ['e\u0301te\u0301', ['e\u0301te\u0301']],
  ['wait...\r\nwhat?!  \n', ['wait', '...\r\n', 'what', '?!', '  \n']],
])('%j is cut into %j', (text, expected) => {
  expect(splitWords(text)).toEqual(expected);
});

test('a word boundary cuts no word, whatever follows', () => {
  fc.assert(
    fc.property(anyText, anyText, (text, follows) => {
      const cut = wordBoundary(text, 0);
      if (cut === 0) return;
      const whole = text + follows;
      expect([...words(whole.slice(0, cut)), ...words(whole.slice(cut))]).toEqual(words(whole));
    }),
    { numRuns: 5000 },
  );
});

test('a text of ordinary words has a boundary near its end, and only from the place asked for', () => {
  expect(wordBoundary('call me ishmael', 0)).toBe(7);
  expect(wordBoundary('call me ishmael', 8)).toBe(0);
  expect(wordBoundary('abc<|endoftext|>', 0)).toBe(3);
});
