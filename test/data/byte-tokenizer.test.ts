import { expect, test } from 'vitest';
import { ByteTokenizer } from '../../src/data/byte-tokenizer.js';
import { byteCharacters } from '../../src/data/byte-vocabulary.js';

test('an id is a byte of UTF-8, and 256 the end of text', () => {
  const tokenizer = new ByteTokenizer();
  expect([...tokenizer.encode('A長<|endoftext|>')]).toEqual([0x41, 0xe9, 0x95, 0xb7, 256]);
  expect(tokenizer.vocabularySize).toBe(257);
});

test('bytes that form no character decode to the replacement character', () => {
  const tokenizer = new ByteTokenizer();
  expect(tokenizer.decode([0x41, 0xe9, 0x95, 256])).toBe('A\ufffd<|endoftext|>');
});

test('a streamed character comes with its last byte, a broken one with the next or at the end', () => {
  const stream = new ByteTokenizer().streamDecoder();
  expect([0xf0, 0x9f, 0x90, 0xb3].map((id) => stream.push(id))).toEqual(['', '', '', '🐳']);
  expect([0xf0, 0x9f, 0x41].map((id) => stream.push(id)).join('')).toBe('\ufffdA');
  expect(stream.push(0xe9)).toBe('');
  expect(stream.flush()).toBe('\ufffd');
  expect(stream.push(0x41)).toBe('A');
});

test('every byte has a printable character of its own, as in GPT-2', () => {
  expect(new Set(byteCharacters).size).toBe(256);
  expect([0x20, 0x0a, 0x41, 0x7f, 0xad, 0xff].map((byte) => byteCharacters[byte])).toEqual([
    'Ġ',
    'Ċ',
    'A',
    'ġ',
    'Ń',
    'ÿ',
  ]);
});
