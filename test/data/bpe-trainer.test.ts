import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Merge } from '../../src/data/bpe-tokenizer.js';
import { type BpeTrainerProgress, trainBpe } from '../../src/data/bpe-trainer.js';
import { piecesOf } from '../../src/data/pieces.js';
import { splitWords } from '../../src/data/pretokenizer.js';
import { anyText, cutText, failure } from './samples.js';

/** The textbook trainer: count every pair of every word anew before each merge. */
function slowMerges(text: string, vocabularySize: number, minimumCount: number): Merge[] {
  let words = splitWords(text).map((word) => [...new TextEncoder().encode(word)]);
  const merges: Merge[] = [];
  while (merges.length + 257 < vocabularySize) {
    const counts = new Map<string, number>();
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        const pair = `${word[i]},${word[i + 1]}`;
        counts.set(pair, (counts.get(pair) ?? 0) + 1);
      }
    }
    const ranked = [...counts]
      .map(([pair, count]) => ({ pair: pair.split(',').map(Number) as [number, number], count }))
      .filter(({ count }) => count >= minimumCount)
      .sort((a, b) => b.count - a.count || a.pair[0] - b.pair[0] || a.pair[1] - b.pair[1]);
    const best = ranked[0];
    if (best === undefined) break;
    const [left, right] = best.pair;
    const id = 256 + merges.length;
    merges.push([left, right]);
    words = words.map((word) => {
      const merged: number[] = [];
      for (let i = 0; i < word.length; i++) {
        if (word[i] === left && word[i + 1] === right) {
          merged.push(id);
          i++;
        } else merged.push(word[i] ?? 0);
      }
      return merged;
    });
  }
  return merges;
}

describe('the BPE trainer', () => {
  test('merges what counting every pair anew would merge', async () => {
    const repetitive = fc.array(fc.constantFrom('a', 'b', 'aa', 'ab', 'ba', ' ', 'é')).map((parts) => parts.join(''));
    const plain = anyText.map((text) => text.replaceAll('<|endoftext|>', ''));
    await fc.assert(
      fc.asyncProperty(fc.oneof(repetitive, plain), fc.integer({ min: 1, max: 3 }), async (text, minimumCount) => {
        fc.pre(text.length > 0);
        const tokenizer = await trainBpe(piecesOf(text), { vocabularySize: 300, minimumCount });
        expect(tokenizer.merges).toEqual(slowMerges(text, 300, minimumCount));
        // Merges in order of rank reach a text in one way only, so no two tokens are the same text.
        const { model } = JSON.parse(JSON.stringify(tokenizer.toFiles()['tokenizer.json']));
        expect(Object.keys(model.vocab).length).toBe(tokenizer.vocabularySize);
      }),
      { numRuns: 300 },
    );
  });

  test('takes the more frequent pair first and of equal ones the smaller', async () => {
    const { merges } = await trainBpe(piecesOf('zy zy xw xw ba ba ba'), { vocabularySize: 260, minimumCount: 1 });
    expect(merges).toEqual([
      [0x20, 0x62],
      [256, 0x61],
      [0x20, 0x78],
    ]);
  });

  test('is the same however the text is cut, and twice in a row', async () => {
    const text = 'the whale, the white whale, it is the whale that I hunt. 白鯨，白鯨。'.repeat(5);
    const options = { vocabularySize: 320 };
    const whole = await trainBpe(piecesOf(text), options);
    const cut = await trainBpe(cutText(text, [7, 2, 11]), options);
    expect(cut.merges).toEqual(whole.merges);
    expect(whole.vocabularySize).toBeGreaterThan(280);
  });

  test('never merges across documents or into the end of text', async () => {
    const spelled = await trainBpe(piecesOf('ab<|endoftext|>'.repeat(9)), { vocabularySize: 300 });
    expect(spelled.merges).toEqual([[0x61, 0x62]]);
    const documents = await trainBpe(piecesOf(['a', 'b', 'a', 'b']), { vocabularySize: 300 });
    expect(documents.merges).toEqual([]);
  });

  test('ends with a smaller vocabulary when no pair is left', async () => {
    const tokenizer = await trainBpe(piecesOf('abababab'), { vocabularySize: 5000 });
    expect(tokenizer.vocabularySize).toBe(257 + tokenizer.merges.length);
    expect(tokenizer.vocabularySize).toBeLessThan(262);
    expect(tokenizer.endOfText).toBe(tokenizer.vocabularySize - 1);
  });

  test('forgets the rarest words when there are more than it may hold', async () => {
    const rare = Array.from({ length: 26 }, (_, i) => `.${String.fromCharCode(97 + i)}q`);
    const text = [...Array(9).fill('zz'), ...Array(3).fill('yy'), ...rare, ...rare].join('\n');
    const pieces = cutText(text, [30]);
    const all = await trainBpe(pieces, { vocabularySize: 300 });
    const few = await trainBpe(pieces, { vocabularySize: 300, maximumWords: 20 });
    expect(all.merges.length).toBeGreaterThan(26);
    expect(few.merges[0]).toEqual([0x7a, 0x7a]);
    expect(few.merges.length).toBeLessThan(12);
  });

  test('reports counting, then merging up to the vocabulary asked for', async () => {
    const seen: BpeTrainerProgress[] = [];
    await trainBpe(piecesOf('abc abc'), { vocabularySize: 258, onProgress: (progress) => seen.push(progress) });
    expect(seen[0]).toEqual({ stage: 'counting', done: expect.any(Number), total: undefined });
    expect(seen.at(-1)).toEqual({ stage: 'merging', done: 258, total: 258 });
  });

  test.each([256, 0, 300.5, Number.NaN, 2_000_000])('refuses a vocabulary of %d', async (vocabularySize) => {
    const error = await failure(trainBpe(piecesOf('ab'), { vocabularySize }));
    expect(error).toMatchObject({ code: 'argument' });
    expect(String(error)).toContain('bpe:4096');
  });

  test('refuses to train on no text', async () => {
    expect(await failure(trainBpe([], { vocabularySize: 300 }))).toMatchObject({ code: 'data' });
  });

  test('stops when it is told to', async () => {
    const text = Array.from({ length: 4000 }, (_, i) => `w${i * 7919}x${i}`).join(' ');
    const signal = AbortSignal.abort();
    expect(await failure(trainBpe(piecesOf(text), { vocabularySize: 2000, signal }))).toMatchObject({
      name: 'AbortError',
    });
  });
});
