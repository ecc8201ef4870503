import { expect, test } from 'vitest';
import { ByteTokenizer } from '../../src/data/byte-tokenizer.js';
import { CharTokenizer } from '../../src/data/char-tokenizer.js';
import { piecesOf } from '../../src/data/pieces.js';
import { MemoryTokens, tokenizeInMemory } from '../../src/data/token-source.js';
import { failure } from './samples.js';

test('tokens in memory are read by position, and only within their length', async () => {
  const source = new MemoryTokens([5, 6, 7, 8], 4);
  expect(source).toMatchObject({ length: 4, bytes: 4 });
  expect([...(await source.read(1, 2))]).toEqual([6, 7]);
  expect(await failure(source.read(3, 2))).toMatchObject({ code: 'argument' });
});

test('a text is tokenized into two bytes a token, with the bytes of text counted', async () => {
  const source = await tokenizeInMemory(new ByteTokenizer(), piecesOf(['A長', 'B']));
  expect(source).toMatchObject({ length: 7, bytes: 5 });
  expect(await source.read(0, 7)).toEqual(Uint16Array.from([0x41, 0xe9, 0x95, 0xb7, 256, 0x42, 256]));
});

test('a text without tokens is refused', async () => {
  expect(await failure(tokenizeInMemory(new CharTokenizer(['a']), piecesOf('')))).toMatchObject({ code: 'data' });
});
