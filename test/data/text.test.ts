import { mkdir, rm, truncate } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Corpus, naturalOrder, openCorpus } from '../../src/data/text.js';
import { collect, failure, temporaryFolder } from './samples.js';

const folder = temporaryFolder();

const textOf = async (corpus: Corpus): Promise<string> =>
  (await collect(corpus.pieces())).map(({ text }) => text).join('');

/** The texts between ends of documents. */
async function documentsOf(corpus: Corpus): Promise<string[]> {
  const documents = [''];
  for await (const { text, endsDocument } of corpus.pieces()) {
    documents.push(`${documents.pop()}${text}`);
    if (endsDocument) documents.push('');
  }
  return documents;
}

describe('a file of text', () => {
  test('comes whole, in bounded pieces that never split a character', async () => {
    const unit = 'a長🐳\r\n';
    for (let shift = 0; shift < 4; shift++) {
      const text = 'x'.repeat(shift) + unit.repeat(20_000);
      const corpus = await openCorpus(await folder.write('shifted.md', text));
      const pieces = await collect(corpus.pieces());
      expect(pieces.map((piece) => piece.text).join('')).toBe(text);
      expect(pieces.length).toBeGreaterThan(3);
      for (const piece of pieces) {
        expect(piece.text.length).toBeLessThanOrEqual(65_540);
        expect(piece.text).not.toMatch(/[\p{Surrogate}\ufffd]/u);
      }
    }
  });

  test('is one stretch, which ends no document', async () => {
    const corpus = await openCorpus(await folder.write('one.txt', 'Call me Ishmael.'));
    expect(corpus).toMatchObject({ format: 'text', documents: false, bytes: 16 });
    expect(await collect(corpus.pieces())).toEqual([{ text: 'Call me Ishmael.', endsDocument: false }]);
  });

  test('loses a byte order mark at its start, and nothing else', async () => {
    const text = 'first\r\n\ufeffsecond\r\n\r\n';
    expect(await textOf(await openCorpus(await folder.write('mark.txt', `\ufeff${text}`)))).toBe(text);
    expect(await textOf(await openCorpus(await folder.write('plain.txt', text)))).toBe(text);
  });

  test.each([
    ['a NUL byte', Buffer.from('abc\0def'), /NUL byte at offset 3/],
    ['a byte that starts no character', Buffer.from([0x61, 0xff, 0x62]), /0xFF at offset 1/],
    ['a character cut short at the end', Buffer.from([0x61, 0x62, 0xe9, 0x95]), /0xE9 at offset 2/],
    ['UTF-16', Buffer.from('\ufeffabc', 'utf16le'), /0xFF at offset 0.*iconv -f UTF-16 /],
    ['a late bad byte', Buffer.concat([Buffer.alloc(70_000, 'é'), Buffer.from([0xc3, 0x28])]), /0xC3 at offset 70000/],
    ['a late NUL after a mark', Buffer.from(`\ufeff${'é'.repeat(50_000)}\0`), /NUL byte at offset 100003/],
  ])('is refused for %s, with its offset', async (_, bytes, message) => {
    const path = await folder.write('binary.txt', bytes);
    const error = await failure(openCorpus(path).then(textOf));
    expect(error).toMatchObject({ code: 'data' });
    expect(String(error)).toMatch(message);
    expect(String(error)).toContain('binary.txt');
  });

  test('must exist and hold text', async () => {
    const missing = await failure(openCorpus(await folder.path('nowhere.txt')));
    expect(missing).toMatchObject({ code: 'data' });
    expect(String(missing)).toMatch(/exists, received .*nowhere\.txt/);
    for (const content of ['', '\ufeff']) {
      const empty = await failure(openCorpus(await folder.write('empty.txt', content)));
      expect(empty).toMatchObject({ code: 'data' });
      expect(String(empty)).toMatch(/hold some text.*name a file with text in it/);
    }
  });

  test('must not shrink while it is read', async () => {
    const path = await folder.write('shrinking.txt', 'x'.repeat(100_000));
    const corpus = await openCorpus(path);
    await truncate(path, 90_000);
    expect(String(await failure(textOf(corpus)))).toMatch(/must not change/);
    await rm(path);
    expect(await failure(textOf(corpus))).toMatchObject({ code: 'filesystem' });
  });
});

describe('a folder of texts', () => {
  test('is read in the order of numbers, .txt files only, subfolders and empty files left out', async () => {
    await mkdir(await folder.path('book/chapter_3.txt'), { recursive: true });
    await folder.write('book/chapter_10.txt', 'ten');
    await folder.write('book/chapter_9.txt', '\ufeffnine');
    await folder.write('book/chapter_2.TXT', 'two');
    await folder.write('book/chapter_4.txt', '');
    await folder.write('book/notes.md', 'notes');
    const corpus = await openCorpus(await folder.path('book'));
    expect(corpus).toMatchObject({ format: 'folder', documents: true });
    expect(await documentsOf(corpus)).toEqual(['two', 'nine', 'ten', '']);
  });

  test('tells what it leaves out: other files, empty ones and subfolders', async () => {
    const path = await folder.path('mixed');
    await mkdir(await folder.path('mixed/more.txt'), { recursive: true });
    await mkdir(await folder.path('mixed/sub'));
    for (const [name, text] of Object.entries({ 'a.txt': 'a', 'b.TXT': 'b', 'c.txt': '', 'd.md': 'd', '.hidden': 'e' }))
      await folder.write(`mixed/${name}`, text);
    const corpus = await openCorpus(path);
    expect(await documentsOf(corpus)).toEqual(['a', 'b', '']);
    expect(corpus.leftOut).toEqual(['c.txt', 'more.txt/', 'd.md', 'sub/']);
    expect((await openCorpus(await folder.path('mixed/a.txt'))).leftOut).toEqual([]);
  });

  test('must hold a .txt file, and one with text', async () => {
    await mkdir(await folder.path('bare'));
    expect(String(await failure(openCorpus(await folder.path('bare'))))).toMatch(/must hold \.txt files/);
    await folder.write('bare/a.txt', '');
    expect(String(await failure(openCorpus(await folder.path('bare'))))).toMatch(/hold some text/);
  });

  test.each([
    ['a9', 'a10'],
    ['a', 'a0'],
    ['2', '10'],
    ['a02', 'a3'],
    ['a2b', 'a2c'],
    ['99999999999999999998', '99999999999999999999'],
    ['B', 'a'],
  ])('%s comes before %s', (first, second) => {
    expect(naturalOrder(first, second)).toBeLessThan(0);
    expect(naturalOrder(second, first)).toBeGreaterThan(0);
    expect(naturalOrder(first, first)).toBe(0);
  });
});

describe('JSON lines', () => {
  test('give a document a line; blank lines and empty texts are passed over', async () => {
    const lines = [
      '{"text": "one\\nline"}',
      '',
      '{"id": 7, "text": "zwei 🐳\\u0000"}\r',
      '{"text": ""}',
      '{"text":"x"}',
    ];
    const corpus = await openCorpus(await folder.write('lines.jsonl', `\ufeff${lines.join('\n')}`));
    expect(corpus).toMatchObject({ format: 'jsonl', documents: true });
    expect(await documentsOf(corpus)).toEqual(['one\nline', 'zwei 🐳\0', 'x', '']);
  });

  test('may have lines longer than a piece, and many of them in one', async () => {
    const texts = ['長'.repeat(90_000), ...Array.from({ length: 3000 }, (_, i) => `line ${i} 🐳`), 'y'.repeat(200_000)];
    const content = `${texts.map((text) => JSON.stringify({ text })).join('\n')}\n`;
    const corpus = await openCorpus(await folder.write('long.jsonl', content));
    expect(await documentsOf(corpus)).toEqual([...texts, '']);
    for (const { text } of await collect(corpus.pieces())) expect(text.length).toBeLessThanOrEqual(65_537);
  });

  test.each([
    ['is not JSON', '{"text": "one"', /Line 3 of .*bad\.jsonl must be a JSON object.*JSON says/],
    ['is no object', '["text"]', /Line 3 of .*must be a JSON object with a string "text"/],
    ['lacks text', '{"txt": "one"}', /Line 3 of .*\{\\"txt\\": \\"one\\"\}.*\{"text": "\.\.\."\}/],
    ['has a text that is not a string', '{"text": 3}', /Line 3 of/],
    ['has a lone surrogate', '{"text": "\\ud83d"}', /Line 3 of .*well-formed/],
  ])('are refused where a line %s, by file and line', async (_, line, message) => {
    const path = await folder.write('bad.jsonl', `{"text": "a"}\n\n${line}\n{"text": "b"}\n`);
    const error = await failure(openCorpus(path).then(textOf));
    expect(error).toMatchObject({ code: 'data' });
    expect(String(error)).toMatch(message);
  });

  test.each([
    ['{"text": "a"}\n{"text', 20],
    ['\ufeff{"text', 9],
    [`${JSON.stringify({ text: 'x'.repeat(65_500) })}\n{"text": "a longer line than what is left of the piece`, 65_566],
  ])('with a bad byte are refused by its offset in the file', async (start, offset) => {
    const path = await folder.write('byte.jsonl', Buffer.concat([Buffer.from(start), Buffer.from([0x80])]));
    expect(Buffer.byteLength(start)).toBe(offset);
    expect(String(await failure(openCorpus(path).then(textOf)))).toMatch(new RegExp(`0x80 at offset ${offset}`));
  });

  test('are counted where several are bad, and the first three named', async () => {
    const many = (bad: readonly number[]): string =>
      Array.from({ length: 9 }, (_, i) => (bad.includes(i + 1) ? '{"txt": "a"}' : '{"text": "a"}')).join('\n');
    const message = async (bad: readonly number[]): Promise<string> =>
      String(await failure(openCorpus(await folder.write('many.jsonl', many(bad))).then(textOf)));
    expect(await message([4])).not.toMatch(/In all/);
    expect(await message([2, 9])).toMatch(/Line 2 of .*In all 2 lines are bad: 2, 9\.$/);
    expect(await message([3, 4, 6, 8, 9])).toMatch(/Line 3 of .*In all 5 lines are bad: 3, 4, 6, \.\.\.\.$/);
  });
});
