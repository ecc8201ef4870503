import { beforeAll, describe, expect, test } from 'vitest';
import { mobyDick } from '../../src/data/moby-dick.js';
import { splitCorpus } from '../../src/data/split-corpus.js';
import type { Corpus } from '../../src/data/text.js';
import { collect } from './samples.js';

const textOf = async (corpus: Corpus): Promise<string> =>
  (await collect(corpus.pieces())).map(({ text }) => text).join('');

/** The windows of a length that both texts have. */
function sharedWindows(first: string, second: string, length: number): string[] {
  const windows = new Set<string>();
  for (let i = 0; i + length <= second.length; i++) windows.add(second.slice(i, i + length));
  const shared: string[] = [];
  for (let i = 0; i + length <= first.length; i++) {
    const window = first.slice(i, i + length);
    if (windows.has(window)) shared.push(window);
  }
  return shared;
}

describe('the demo text', () => {
  let corpus: Corpus;
  beforeAll(async () => {
    corpus = await mobyDick();
  });

  test('is the 135 chapters in order, each a document, and nothing else', async () => {
    const pieces = await collect(corpus.pieces());
    expect(pieces.filter(({ endsDocument }) => endsDocument).length).toBe(135);
    const titles = (await textOf(corpus)).match(/CHAPTER \d+\./g) ?? [];
    const numbers = [...new Set(titles.map((title) => Number(title.slice(8, -1))))];
    expect(numbers).toEqual(Array.from({ length: 135 }, (_, i) => i + 1));
    expect(corpus.bytes).toBe(1_192_750);
  });

  test('has no window of 64 characters in both its training and its validation part', async () => {
    const { training, validation } = await splitCorpus(corpus);
    const [first, second] = [await textOf(training), await textOf(validation)];
    expect(first + second).toBe(await textOf(corpus));
    expect(sharedWindows(first, second, 64)).toEqual([]);
    // The check sees what is shared: words are.
    expect(sharedWindows(first.slice(-20_000), second, 8).length).toBeGreaterThan(0);
  });

  test('is split between two chapters, a tenth for validation', async () => {
    const { training, validation } = await splitCorpus(corpus);
    expect(await textOf(validation)).toMatch(/^CHAPTER \d+\./);
    expect((await collect(training.pieces())).at(-1)?.endsDocument).toBe(true);
    expect(validation.bytes / corpus.bytes).toBeGreaterThan(0.09);
    expect(validation.bytes / corpus.bytes).toBeLessThan(0.11);
  });
});
