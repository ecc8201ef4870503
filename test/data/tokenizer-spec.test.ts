import { describe, expect, test } from 'vitest';
import { piecesOf } from '../../src/data/pieces.js';
import { parseTokenizerSpec, trainTokenizer } from '../../src/data/tokenizer-spec.js';
import { failure } from './samples.js';

describe('a tokenizer specification', () => {
  test('is char, byte or bpe with a size', () => {
    expect(parseTokenizerSpec('char')).toEqual({ kind: 'char' });
    expect(parseTokenizerSpec(' byte ')).toEqual({ kind: 'byte' });
    expect(parseTokenizerSpec('bpe:4096')).toEqual({ kind: 'bpe', vocabularySize: 4096 });
  });

  test.each([
    ['chars', 'name', /Did you mean "char"/],
    ['bep:512', 'name', /Did you mean "bpe"/],
    ['sentencepiece', 'name', /Write char, byte or bpe:SIZE/],
    ['', 'name', /Write char/],
    ['bpe', 'argument', /bpe:4096/],
    ['bpe:', 'argument', /bpe:4096/],
    ['bpe:4k', 'argument', /bpe:4096/],
    ['bpe:512:3', 'argument', /bpe:4096/],
    ['bpe:256', 'argument', /257/],
    ['char:65', 'argument', /takes no size/],
  ])('refuses %j', (text, code, message) => {
    expect(() => parseTokenizerSpec(text)).toThrow(expect.objectContaining({ code }));
    expect(() => parseTokenizerSpec(text)).toThrow(message);
  });

  test('makes the tokenizer it names', async () => {
    const pieces = ['the whale', 'the whale'];
    const make = (text: string, documents: boolean) =>
      trainTokenizer(parseTokenizerSpec(text), piecesOf(pieces), { documents });
    expect(await make('byte', true)).toMatchObject({ kind: 'byte', vocabularySize: 257 });
    expect(await make('bpe:260', true)).toMatchObject({ kind: 'bpe', vocabularySize: 260, endOfText: 259 });
    expect(await make('char', false)).toMatchObject({ kind: 'char', vocabularySize: 7, endOfText: undefined });
    expect(await make('char', true)).toMatchObject({ kind: 'char', vocabularySize: 8, endOfText: 7 });
  });

  test('cannot make a character tokenizer of no text', async () => {
    expect(await failure(trainTokenizer({ kind: 'char' }, [], { documents: false }))).toMatchObject({ code: 'data' });
  });
});
