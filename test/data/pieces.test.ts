import fc from 'fast-check';
import { expect, test } from 'vitest';
import { longestRun, piecesOf, safePieces, unfinishedAt } from '../../src/data/pieces.js';
import { anyText, collect, cutText } from './samples.js';

test('a text in memory is cut into bounded pieces that join to it and never split a character', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 1, max: 5 }), (text, length) => {
      const pieces = [...piecesOf(text, length)];
      expect(pieces.map((piece) => piece.text).join('')).toBe(text);
      for (const piece of pieces) {
        expect(piece.text.length).toBeLessThanOrEqual(length + 1);
        expect(piece.text).not.toMatch(/\p{Surrogate}/u);
        expect(piece.endsDocument).toBe(false);
      }
    }),
  );
});

test('each text of a list ends a document once, and empty texts are passed over', () => {
  const pieces = [...piecesOf(['abc', '', 'de'], 2)];
  expect(pieces).toEqual([
    { text: 'ab', endsDocument: false },
    { text: 'c', endsDocument: true },
    { text: 'de', endsDocument: true },
  ]);
});

test('safe pieces join to the text and are cut only where the boundary says', async () => {
  const boundary = (text: string, from: number): number => {
    const space = text.lastIndexOf(' ');
    return space > from ? space : 0;
  };
  const pieces = await collect(safePieces(cutText('call me ishmael some years ago', [3, 1, 7]), boundary));
  expect(pieces.map(({ text }) => text).join('')).toBe('call me ishmael some years ago');
  for (const { text } of pieces.slice(1)) expect(text.startsWith(' ')).toBe(true);
  expect(pieces.length).toBeGreaterThan(2);
});

test('a boundary where two pieces meet is found as soon as it can be', async () => {
  const seen: string[] = [];
  const boundary = (text: string, from: number): number => {
    seen.push(text);
    const space = text.lastIndexOf(' ');
    return space > 0 && space >= from ? space : 0;
  };
  await collect(safePieces(cutText('whale white', [5, 1, 1, 4]), boundary));
  expect(seen).toEqual(['whale', 'whale ', ' w', ' white']);
});

test('a run without a boundary is cut all the same, between characters, so that memory stays bounded', async () => {
  const run = '🐳'.repeat(longestRun / 2 + 70_000);
  const pieces = await collect(safePieces(piecesOf(run), () => 0));
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.map(({ text }) => text).join('')).toBe(run);
  for (const { text } of pieces) expect(text).not.toMatch(/\p{Surrogate}/u);
});

test('an unfinished special token is seen at the end of a text', () => {
  expect(unfinishedAt('whale <|end', '<|endoftext|>')).toBe(6);
  expect(unfinishedAt('whale <', '<|endoftext|>')).toBe(6);
  expect(unfinishedAt('whale', '<|endoftext|>')).toBe(5);
  expect(unfinishedAt('<|endoftext|>', '<|endoftext|>')).toBe(13);
});
