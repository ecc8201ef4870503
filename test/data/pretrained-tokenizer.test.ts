import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { JsonObject } from '../../src/data/json.js';
import { piecesOf } from '../../src/data/pieces.js';
import { PretrainedTokenizer } from '../../src/data/pretrained-tokenizer.js';
import { encodeAll } from '../../src/data/tokenizer.js';
import { tokenizerFromFiles } from '../../src/data/tokenizer-files.js';
import { anyText, collect } from './samples.js';

const special = (id: number, content: string): JsonObject => ({
  ...{ id, content, special: true, single_word: false, lstrip: false, rstrip: false, normalized: false },
});

const parts = { version: '1.0', truncation: null, padding: null, normalizer: null, post_processor: null };

/** A SentencePiece-like BPE with byte fallback, as Llama 2 has. */
function llamaLike(prepend: 'never' | 'always' = 'never'): PretrainedTokenizer {
  const bytes = Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`);
  const tokens = [
    '<unk>',
    '<s>',
    '</s>',
    ...bytes,
    '▁',
    'w',
    'h',
    'a',
    'l',
    'e',
    'wh',
    'al',
    'whal',
    'whale',
    '▁whale',
  ];
  return new PretrainedTokenizer(
    {
      ...parts,
      added_tokens: [special(0, '<unk>'), special(1, '<s>'), special(2, '</s>')],
      pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: prepend },
      decoder: {
        type: 'Sequence',
        decoders: [
          { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
          { type: 'ByteFallback' },
          { type: 'Fuse' },
        ],
      },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: '<unk>',
        fuse_unk: true,
        byte_fallback: true,
        ignore_merges: false,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
        merges: ['w h', 'a l', 'wh al', 'whal e', '▁ whale'],
      },
    },
    { eos_token: { content: '</s>' }, clean_up_tokenization_spaces: true },
  );
}

/** A WordPiece tokenizer, as BERT has. */
function bertLike(): PretrainedTokenizer {
  const tokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'the', 'white', 'whale', '##s', ',', 'a'];
  return new PretrainedTokenizer(
    {
      ...parts,
      added_tokens: tokens.slice(0, 5).map((content, id) => special(id, content)),
      normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
      pre_tokenizer: { type: 'BertPreTokenizer' },
      decoder: { type: 'WordPiece', prefix: '##', cleanup: false },
      model: {
        type: 'WordPiece',
        unk_token: '[UNK]',
        continuing_subword_prefix: '##',
        max_input_chars_per_word: 100,
        vocab: Object.fromEntries(tokens.map((token, id) => [token, id])),
      },
    },
    {},
  );
}

describe('a foreign tokenizer', () => {
  test('keeps spaces before punctuation whatever its configuration says, and writes it so', () => {
    const tokenizer = llamaLike();
    const text = "a whale , it is n't";
    expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
    expect(tokenizer.toFiles()['tokenizer_config.json']).toMatchObject({ clean_up_tokenization_spaces: false });
  });

  test('adds no special tokens of its own and takes its end of text from the configuration', () => {
    const tokenizer = llamaLike();
    expect([...tokenizer.encode('whale')]).toEqual([tokenizer.vocabularySize - 2]);
    expect(tokenizer.endOfText).toBe(2);
    expect(bertLike().endOfText).toBeUndefined();
  });

  test('streams the text that it decodes whole, and holds characters back until they are complete', () => {
    const tokenizer = llamaLike();
    fc.assert(
      fc.property(anyText, (text) => {
        const ids = [...tokenizer.encode(text)];
        const stream = tokenizer.streamDecoder();
        const streamed = ids.map((id) => stream.push(id));
        if (!text.includes('\ufffd')) expect(streamed.join('')).not.toContain('\ufffd');
        expect(streamed.join('') + stream.flush()).toBe(tokenizer.decode(ids));
      }),
    );
  });

  test('streams spaces between the words of WordPiece', () => {
    const tokenizer = bertLike();
    const stream = tokenizer.streamDecoder();
    const streamed = [...tokenizer.encode('The white whales')].map((id) => stream.push(id));
    expect(streamed).toEqual(['the', ' white', ' whale', 's']);
  });

  test('counts bytes: specials none, fallback bytes one, words with their space', () => {
    const llama = llamaLike();
    expect([1, 3, 258, 259, llama.vocabularySize - 1].map((id) => llama.tokenByteLength(id))).toEqual([0, 1, 1, 1, 6]);
    const bert = bertLike();
    expect([2, 7, 8].map((id) => bert.tokenByteLength(id))).toEqual([0, 6, 1]);
  });

  test('gives the same ids in pieces as whole', async () => {
    // One that puts a space before every text must not be cut after a line's end, where it would add one.
    for (const tokenizer of [llamaLike(), llamaLike('always'), bertLike()]) {
      const text = 'The white whale, a whales\nwhale the 🐳\nwhale\nwhale\nwhale\n'.repeat(600);
      const ids = (await collect(encodeAll(tokenizer, piecesOf(text, 4096)))).flatMap((part) => [...part]);
      expect(ids).toEqual([...tokenizer.encode(text)]);
    }
  });

  test('runs through the library when it is none of our own kinds', () => {
    const files = llamaLike().toFiles();
    expect(tokenizerFromFiles(files).kind).toBe('pretrained');
  });

  test('is refused when the library cannot read it', () => {
    const files = { 'tokenizer.json': { model: { type: 'Oracle' } }, 'tokenizer_config.json': {} };
    expect(() => tokenizerFromFiles(files)).toThrow(expect.objectContaining({ code: 'format' }));
  });
});
