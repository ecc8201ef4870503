import { expect, test } from 'vitest';
import { BpeTokenizer } from '../../src/data/bpe-tokenizer.js';
import { field, type JsonObject } from '../../src/data/json.js';
import type { Tokenizer } from '../../src/data/tokenizer.js';
import { tokenizerFromFiles } from '../../src/data/tokenizer-files.js';

const a = 0x61;

const own = new BpeTokenizer([
  [a, a],
  [256, a],
]);

function read(tokenizer: JsonObject, config: JsonObject = {}): Tokenizer {
  const files = own.toFiles();
  return tokenizerFromFiles({
    'tokenizer.json': { ...files['tokenizer.json'], ...tokenizer },
    'tokenizer_config.json': { ...files['tokenizer_config.json'], ...config },
  });
}

/** A model with one entry of its own changed. */
const model = (change: JsonObject): JsonObject => ({
  model: { ...(field(own.toFiles()['tokenizer.json'], 'model') as JsonObject), ...change },
});

test('files that Transformers has saved again are our own kind still', () => {
  const alone = { type: 'TemplateProcessing', single: [{ Sequence: { id: 'A', type_id: 0 } }], pair: [] };
  const config = {
    tokenizer_class: 'TokenizersBackend',
    backend: 'tokenizers',
    eos_token: { content: '<|endoftext|>' },
  };
  expect(read({ post_processor: alone, special_tokens: {} }).kind).toBe('pretrained');
  expect(read({ post_processor: alone }, config).kind).toBe('bpe');
});

test.each([
  ['a normalizer', { normalizer: { type: 'NFC' } }, {}],
  ['another pre-tokenizer', { pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true } }, {}],
  [
    'another order of merges',
    model({
      merges: [
        ['aa', 'a'],
        ['a', 'a'],
      ],
    }),
    {},
  ],
  ['merges in the old form', model({ merges: ['a a', 'aa a'] }), {}],
  ['another end of text', {}, { eos_token: '<|im_end|>' }],
  ['a template of chats', {}, { chat_template: '{{ messages }}' }],
])('a tokenizer with %s runs through the library, which keeps it', (_, tokenizer, config) => {
  const other = read(tokenizer, config);
  expect(other.kind).toBe('pretrained');
  expect(other.toFiles()['tokenizer.json']).toMatchObject(tokenizer);
  expect(other.toFiles()['tokenizer_config.json']).toMatchObject(config);
  expect(other.decode(other.encode('aaaa b'))).toBe('aaaa b');
});
