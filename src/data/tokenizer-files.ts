import { BpeTokenizer, type Merge } from './bpe-tokenizer.js';
import { ByteTokenizer } from './byte-tokenizer.js';
import { CharTokenizer } from './char-tokenizer.js';
import { elements, field, isObject, type JsonObject, sameJson } from './json.js';
import { MarkedTokenizer, unmarked } from './marked-tokenizer.js';
import { PretrainedTokenizer } from './pretrained-tokenizer.js';
import { endOfTextToken, type Tokenizer, type TokenizerFiles } from './tokenizer.js';

/**
 * The tokenizer that two files describe: one of our own kinds when its own files would say the same, else one that runs
 * through `@huggingface/tokenizers`. Errors ('format'): a tokenizer that cannot be read.
 */
export function tokenizerFromFiles(files: TokenizerFiles): Tokenizer {
  const { 'tokenizer.json': tokenizer, 'tokenizer_config.json': config } = files;
  const inner = unmarked(tokenizer, config);
  const own = inner === undefined ? undefined : tokenizerFromFiles(inner);
  if (own !== undefined && own.kind !== 'pretrained') return new MarkedTokenizer(own);
  const plain = addsNothing(tokenizer) ? { ...tokenizer, post_processor: null } : tokenizer;
  for (const read of [readChar, readByte, readBpe]) {
    const found = read(plain);
    if (found !== undefined && sameJson(found.toFiles()['tokenizer.json'], plain) && addsNoMeaning(config))
      return found;
  }
  return new PretrainedTokenizer(tokenizer, config);
}

/** Whether the post-processor is a template of the text alone, which Transformers 5 writes for none. */
function addsNothing(tokenizer: JsonObject): boolean {
  const single = elements(field(tokenizer, 'post_processor', 'single'));
  return single.length === 1 && field(single[0], 'Sequence', 'id') === 'A';
}

/** Whether a configuration says nothing that our own kinds would lose: another end of text, a template of chats. */
function addsNoMeaning(config: JsonObject): boolean {
  const end = field(config, 'eos_token', 'content') ?? field(config, 'eos_token') ?? endOfTextToken;
  return end === endOfTextToken && field(config, 'chat_template') === undefined;
}

/** The model's tokens in the order of their ids, where ids have no gaps. */
function tokensOf(tokenizer: JsonObject, type: string): string[] | undefined {
  const vocabulary = field(tokenizer, 'model', 'vocab');
  if (field(tokenizer, 'model', 'type') !== type || !isObject(vocabulary)) return undefined;
  const entries = Object.entries(vocabulary).sort(([, a], [, b]) => Number(a) - Number(b));
  return entries.every(([, id], i) => id === i) ? entries.map(([token]) => token) : undefined;
}

function readChar(tokenizer: JsonObject): Tokenizer | undefined {
  const tokens = tokensOf(tokenizer, 'WordLevel');
  if (tokens === undefined) return undefined;
  const endOfText = tokens.at(-1) === endOfTextToken;
  const characters = endOfText ? tokens.slice(0, -1) : tokens;
  const single = characters.length > 0 && characters.every((character) => [...character].length === 1);
  return single ? new CharTokenizer(characters, { endOfText }) : undefined;
}

function readByte(tokenizer: JsonObject): Tokenizer | undefined {
  return tokensOf(tokenizer, 'BPE')?.length === 257 ? new ByteTokenizer() : undefined;
}

function readBpe(tokenizer: JsonObject): Tokenizer | undefined {
  const tokens = tokensOf(tokenizer, 'BPE');
  const pairs = elements(field(tokenizer, 'model', 'merges'));
  if (tokens?.length !== pairs.length + 257) return undefined;
  const ids = new Map(tokens.map((token, id) => [token, id]));
  const merges: Merge[] = [];
  for (const pair of pairs) {
    const [left, right] = elements(pair).map((token) => ids.get(String(token)));
    const limit = 256 + merges.length;
    if (left === undefined || right === undefined || left >= limit || right >= limit) return undefined;
    merges.push([left, right]);
  }
  return new BpeTokenizer(merges);
}
