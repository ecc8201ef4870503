import { mkdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { splitText } from '../../src/data/split.js';
import { splitCorpus } from '../../src/data/split-corpus.js';
import { type Corpus, openCorpus } from '../../src/data/text.js';
import { collect, failure, temporaryFolder } from './samples.js';

const folder = temporaryFolder();

const textOf = async (corpus: Corpus): Promise<string> =>
  (await collect(corpus.pieces())).map(({ text, endsDocument }) => text + (endsDocument ? '§' : '')).join('');

test('a file is split where its text in memory would be, at any share', async () => {
  const text = Array.from({ length: 900 }, (_, i) => `Line ${i} 長🐳 é${i % 7 === 0 ? '\n' : ''}\n`).join('');
  const corpus = await openCorpus(await folder.write('lines.txt', text));
  for (const fraction of [0.001, 0.1, 0.37, 0.5, 0.93]) {
    const { training, validation } = await splitCorpus(corpus, fraction);
    const expected = splitText(text, fraction);
    expect(await textOf(training)).toBe(expected.training);
    expect(await textOf(validation)).toBe(expected.validation);
    expect(training.bytes + validation.bytes).toBe(corpus.bytes);
  }
});

test('a file without lines is split between characters', async () => {
  for (let shift = 0; shift < 4; shift++) {
    const text = 'x'.repeat(shift) + '🐳'.repeat(1000);
    const { training, validation } = await splitCorpus(await openCorpus(await folder.write('whales.txt', text)));
    expect((await textOf(training)) + (await textOf(validation))).toBe(text);
    expect(Math.abs(validation.bytes - 400)).toBeLessThan(4);
  }
});

async function writeFolder(name: string, documents: readonly string[]): Promise<Corpus> {
  await mkdir(await folder.path(name));
  for (const [i, text] of documents.entries()) await folder.write(`${name}/${i}.txt`, text);
  return openCorpus(await folder.path(name));
}

test('a folder is split between files when one ends near, and a document cut in two ends only in validation', async () => {
  const near = await writeFolder('near', ['a'.repeat(500), 'b'.repeat(395), 'c'.repeat(105)]);
  const between = await splitCorpus(near);
  expect(await textOf(between.training)).toBe(`${'a'.repeat(500)}§${'b'.repeat(395)}§`);
  expect(await textOf(between.validation)).toBe(`${'c'.repeat(105)}§`);

  const far = await writeFolder('far', ['a'.repeat(400), `${'b'.repeat(497)}\n${'c'.repeat(102)}`]);
  const inside = await splitCorpus(far);
  expect(await textOf(inside.training)).toBe(`${'a'.repeat(400)}§${'b'.repeat(497)}\n`);
  expect(await textOf(inside.validation)).toBe(`${'c'.repeat(102)}§`);
});

test('JSON lines are split between lines, the line numbers of errors still those of the file', async () => {
  const lines = Array.from({ length: 100 }, (_, i) => JSON.stringify({ text: `number ${i}` }));
  const corpus = await openCorpus(await folder.write('good.jsonl', lines.join('\n')));
  const { training, validation } = await splitCorpus(corpus);
  const both = (await textOf(training)) + (await textOf(validation));
  expect(both).toBe(lines.map((line) => `${JSON.parse(line).text}§`).join(''));
  expect((await collect(validation.pieces())).length).toBeLessThan(12);

  lines[97] = '{"text": 97}';
  const bad = await openCorpus(await folder.write('bad.jsonl', lines.join('\n')));
  expect(String(await failure(textOf((await splitCorpus(bad)).validation)))).toMatch(/Line 98 of/);
});

test('JSON lines whose last line is longer than the share are split before it', async () => {
  const lines = ['{"text": "short"}', JSON.stringify({ text: 'long'.repeat(50_000) }), ''];
  const { training, validation } = await splitCorpus(await openCorpus(await folder.write('l.jsonl', lines.join('\n'))));
  expect(await textOf(training)).toBe('short§');
  expect(await textOf(validation)).toBe(`${'long'.repeat(50_000)}§`);
});

test('a corpus of one line or one character cannot be split', async () => {
  const one = await openCorpus(await folder.write('one.jsonl', '{"text": "only"}\n'));
  expect(await failure(splitCorpus(one))).toMatchObject({ code: 'data' });
  const tiny = await openCorpus(await folder.write('tiny.txt', 'x'));
  expect(await failure(splitCorpus(tiny))).toMatchObject({ code: 'data' });
  expect(await failure(splitCorpus(tiny, 2))).toMatchObject({ code: 'argument' });
});
