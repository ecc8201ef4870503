import { expect, test } from 'vitest';
import { BpeTokenizer } from '../../src/data/bpe-tokenizer.js';
import { trainBpe } from '../../src/data/bpe-trainer.js';
import { piecesOf } from '../../src/data/pieces.js';
import { splitPattern } from '../../src/data/pretokenizer.js';

const a = 0x61;
const b = 0x62;

test('the lowest rank is merged first and the leftmost of a run', () => {
  const tokenizer = new BpeTokenizer([
    [a, a],
    [b, 256],
  ]);
  expect([...tokenizer.encode('aaa')]).toEqual([256, a]);
  expect([...tokenizer.encode('baaa')]).toEqual([257, a]);
  expect([...tokenizer.encode('baa<|endoftext|>')]).toEqual([257, 258]);
});

test('words that are not cached, being long, are merged alike', () => {
  const tokenizer = new BpeTokenizer([
    [a, a],
    [256, 256],
  ]);
  expect([...tokenizer.encode('a'.repeat(1003))]).toEqual([...Array(250).fill(257), 256, a]);
});

test('a merge must join ids that exist before it', () => {
  expect(() => new BpeTokenizer([[a, 256]])).toThrow(expect.objectContaining({ code: 'argument' }));
  expect(() => new BpeTokenizer([[-1, a]])).toThrow(expect.objectContaining({ code: 'argument' }));
});

test('a token named like a property of objects is kept in the file', async () => {
  const tokenizer = await trainBpe(piecesOf('__proto__ __proto__ __proto__\n__proto__'), { vocabularySize: 300 });
  const vocabulary = Object.entries(
    JSON.parse(JSON.stringify(tokenizer.toFiles()['tokenizer.json'])).model.vocab as object,
  );
  expect(vocabulary.length).toBe(tokenizer.vocabularySize);
  expect(new Set(vocabulary.map(([, id]) => id)).size).toBe(tokenizer.vocabularySize);
});

test('the file splits by the documented pattern before the byte level, and writes merges as pairs', () => {
  const file = new BpeTokenizer([[0x20, a]]).toFiles()['tokenizer.json'];
  expect(file).toMatchObject({
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Split', pattern: { Regex: splitPattern }, behavior: 'Isolated' },
        { type: 'ByteLevel', use_regex: false, add_prefix_space: false },
      ],
    },
    decoder: { type: 'ByteLevel' },
    model: { type: 'BPE', merges: [['Ġ', 'a']] },
    added_tokens: [{ id: 257, content: '<|endoftext|>', special: true }],
  });
});
