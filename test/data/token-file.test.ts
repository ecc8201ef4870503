import { readdir, readFile, rm, truncate, utimes } from 'node:fs/promises';
import { dirname } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ByteTokenizer } from '../../src/data/byte-tokenizer.js';
import { CharTokenizer } from '../../src/data/char-tokenizer.js';
import { splitCorpus } from '../../src/data/split-corpus.js';
import { openCorpus } from '../../src/data/text.js';
import { TokenFile, tokenizerHash, tokenizeToFile } from '../../src/data/token-file.js';
import type { Tokenizer } from '../../src/data/tokenizer.js';
import { failure, temporaryFolder } from './samples.js';

const folder = temporaryFolder();

/** Tokenizes and closes; tells whether the file was reused. */
async function tokenize(source: string, path: string, tokenizer: Tokenizer = new ByteTokenizer()): Promise<boolean> {
  const { file, reused } = await tokenizeToFile({ corpus: await openCorpus(source), tokenizer, path });
  await file.close();
  return reused;
}

describe('a token file', () => {
  test('holds the ids as little-endian uint16, and tells count, bytes and tokenizer beside it', async () => {
    const tokenizer = new ByteTokenizer();
    const source = await folder.write('a.txt', '\ufeffA長');
    const path = await folder.path('new/folder/a.bin');
    expect(await tokenize(source, path)).toBe(false);
    expect([...(await readFile(path))]).toEqual([0x41, 0, 0xe9, 0, 0x95, 0, 0xb7, 0]);
    expect(JSON.parse(await readFile(`${path}.json`, 'utf8'))).toMatchObject({
      ...{ formatVersion: 1, type: 'uint16', vocabularySize: 257, tokens: 4, bytes: 4 },
      tokenizer: tokenizerHash(tokenizer),
      source: { format: 'text', segments: [{ path: source, start: 0, end: 7, size: 7 }] },
    });
    expect((await readdir(dirname(path))).sort()).toEqual(['a.bin', 'a.bin.json']);
  });

  test('has uint32 ids above 65,536 tokens', async () => {
    const characters = Array.from({ length: 65_537 }, (_, i) => String.fromCodePoint(0x10000 + i));
    const tokenizer = new CharTokenizer(characters);
    const source = await folder.write('wide.txt', `${characters[65_536]}${characters[3]}`);
    const path = await folder.path('wide.bin');
    const { file } = await tokenizeToFile({ corpus: await openCorpus(source), tokenizer, path });
    expect(file.description.type).toBe('uint32');
    expect(await file.read(0, 2)).toEqual(Uint32Array.of(65_536, 3));
    await file.close();
    expect([...(await readFile(path))]).toEqual([0, 0, 1, 0, 3, 0, 0, 0]);
  });

  test('is read by position, and only within its length', async () => {
    const source = await folder.write('range.txt', 'abcdefgh'.repeat(30_000));
    const { file } = await tokenizeToFile({
      ...{ corpus: await openCorpus(source), tokenizer: new ByteTokenizer(), path: await folder.path('range.bin') },
    });
    expect(file).toMatchObject({ length: 240_000, bytes: 240_000 });
    expect(await file.read(100_001, 3)).toEqual(Uint16Array.from([0x62, 0x63, 0x64]));
    expect((await file.read(240_000, 0)).length).toBe(0);
    for (const [offset, length] of [
      [239_999, 2],
      [-1, 1],
      [0.5, 1],
    ] as const) {
      expect(await failure(file.read(offset, length))).toMatchObject({ code: 'argument' });
    }
    await file.close();
  });

  test('is reused for the same text and tokenizer, without reading the text again', async () => {
    const source = await folder.write('same.txt', 'some text');
    const path = await folder.path('same.bin');
    expect([await tokenize(source, path), await tokenize(source, path)]).toEqual([false, true]);
    const corpus = await openCorpus(source);
    const blind = { ...corpus, pieces: () => expect.fail('the text was read') };
    const { file, reused } = await tokenizeToFile({ corpus: blind, tokenizer: new ByteTokenizer(), path });
    expect(reused).toBe(true);
    await file.close();
  });

  test('is made anew when the text, its time, its part or the tokenizer changed', async () => {
    const source = await folder.write('changing.txt', 'one\ntwo\nthree\nfour\nfive\nsix\n');
    const path = await folder.path('changing.bin');
    await tokenize(source, path);
    await folder.write('changing.txt', 'ONE\nTWO\nTHREE\nFOUR\nFIVE\nSIX\nSEVEN\n');
    expect(await tokenize(source, path)).toBe(false);
    await utimes(source, 1_000_000, 1_000_000);
    expect(await tokenize(source, path)).toBe(false);
    expect(await tokenize(source, path, new CharTokenizer([...'\nEFHINORSTUVWX']))).toBe(false);
    const { training } = await splitCorpus(await openCorpus(source), 0.3);
    const { file, reused } = await tokenizeToFile({ corpus: training, tokenizer: new ByteTokenizer(), path });
    expect(reused).toBe(false);
    expect(file.length).toBe(training.bytes);
    await file.close();
  });

  test('is made anew when it or its description is lost or damaged', async () => {
    const source = await folder.write('damaged.txt', 'some text');
    const path = await folder.path('damaged.bin');
    await tokenize(source, path);
    await truncate(path, 3);
    expect(await failure(TokenFile.open(path))).toMatchObject({ code: 'format' });
    expect(await tokenize(source, path)).toBe(false);
    await rm(path);
    expect(await failure(TokenFile.open(path))).toMatchObject({ code: 'filesystem' });
    expect(await tokenize(source, path)).toBe(false);
    await folder.write('damaged.bin.json', '{"formatVersion": 1');
    expect(await failure(TokenFile.open(path))).toMatchObject({ code: 'format' });
    expect(await tokenize(source, path)).toBe(false);
    expect(await tokenize(source, path)).toBe(true);
  });

  test('that cannot be finished leaves the old one and nothing half made', async () => {
    const source = await folder.write('half.txt', 'abc');
    const path = await folder.path('half/half.bin');
    await tokenize(source, path);
    const before = await readFile(path);
    const bad = await folder.write('bad.txt', Buffer.concat([Buffer.alloc(100_000, 'a'), Buffer.from([0xff])]));
    expect(await failure(tokenize(bad, path))).toMatchObject({ code: 'data' });
    const corpus = await openCorpus(source);
    const stopped = tokenizeToFile({
      corpus,
      tokenizer: new CharTokenizer([...'abc']),
      path,
      signal: AbortSignal.abort(),
    });
    expect(await failure(stopped)).toMatchObject({ name: 'AbortError' });
    expect(await readFile(path)).toEqual(before);
    expect((await readdir(dirname(path))).sort()).toEqual(['half.bin', 'half.bin.json']);
    expect(await tokenize(source, path)).toBe(true);
  });

  test('reports progress up to the bytes of the text', async () => {
    const corpus = await openCorpus(await folder.write('progress.txt', 'white whale\n'.repeat(20_000)));
    const seen: number[] = [];
    const { file } = await tokenizeToFile({
      ...{ corpus, tokenizer: new ByteTokenizer(), path: await folder.path('progress.bin') },
      onProgress: ({ bytes }) => seen.push(bytes),
    });
    await file.close();
    expect(seen.length).toBeGreaterThan(2);
    expect(seen.at(-1)).toBe(corpus.bytes);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
  });
});
