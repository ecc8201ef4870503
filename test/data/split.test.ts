import fc from 'fast-check';
import { expect, test } from 'vitest';
import { splitText } from '../../src/data/split.js';
import { utf8Length } from '../../src/data/utf8.js';
import { anyText } from './samples.js';

test('the parts of a split join to the text, neither is empty, no character is cut', () => {
  fc.assert(
    fc.property(anyText, fc.double({ min: 0.01, max: 0.99, noNaN: true }), (text, fraction) => {
      fc.pre([...text].length > 4);
      const { training, validation } = splitText(text, fraction);
      expect(training + validation).toBe(text);
      expect(Math.min(training.length, validation.length)).toBeGreaterThan(0);
      expect(training + validation).not.toMatch(/\p{Surrogate}/u);
      expect(training.endsWith('\r') && validation.startsWith('\n')).toBe(false);
    }),
  );
});

test('without lines the validation part has the share asked for, to within a character', () => {
  const text = '長'.repeat(1000);
  expect(utf8Length(splitText(text).validation)).toBe(300);
  expect(splitText(text, 0.25).validation.length).toBe(250);
});

test.each([
  ['a paragraph rather than a nearer line', `${'a'.repeat(890)}\n\n${'b'.repeat(7)}\n${'c'.repeat(100)}`, 892],
  ['a paragraph between CRLF lines', `${'a'.repeat(895)}\r\n\r\n${'b'.repeat(101)}`, 899],
  ['a line when no paragraph is near', `${'a'.repeat(500)}\n\n${'b'.repeat(395)}\n${'c'.repeat(102)}`, 898],
  ['the spot itself when no line is near', `${'a'.repeat(500)}\n\n${'b'.repeat(498)}`, 900],
])('a split is moved to %s', (_, text, cut) => {
  expect(text.length).toBeGreaterThanOrEqual(1000);
  expect(splitText(text).training.length).toBe(cut);
});

test.each([0, 1, -0.1, Number.NaN, 5])('a share of %d is refused', (fraction) => {
  expect(() => splitText('a long enough text', fraction)).toThrow(expect.objectContaining({ code: 'argument' }));
});

test('a text of one character cannot be split', () => {
  for (const text of ['', 'a', '🐳']) {
    expect(() => splitText(text)).toThrow(expect.objectContaining({ code: 'data' }));
  }
});
