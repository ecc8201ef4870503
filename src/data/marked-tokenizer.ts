import type { JsonObject } from './json.js';
import { elements, field } from './json.js';
import { type StreamDecoder, specialToken, type Tokenizer, type TokenizerFiles } from './tokenizer.js';

/** In the order of their ids, behind those of the tokenizer that they mark. */
const marks: readonly string[] = ['[PAD]', '[CLS]', '[SEP]', '[MASK]'];
const spelled = /(\[(?:PAD|CLS|SEP|MASK)\])/;

/**
 * A tokenizer with the four marks of an encoder. `encode` puts none around a text, but takes those that are spelled out
 * in it, as Hugging Face's tokenizers do.
 */
export class MarkedTokenizer implements Tokenizer {
  readonly kind: Tokenizer['kind'];
  readonly vocabularySize: number;
  readonly endOfText: number | undefined;
  readonly #inner: Tokenizer;

  constructor(inner: Tokenizer) {
    this.kind = inner.kind;
    this.vocabularySize = inner.vocabularySize + marks.length;
    this.endOfText = inner.endOfText;
    this.#inner = inner;
  }

  encode(text: string): Uint32Array {
    const parts = text.split(spelled).filter((part) => part !== '');
    if (parts.length <= 1 && !spelled.test(text)) return this.#inner.encode(text);
    return Uint32Array.from(
      parts.flatMap((part) => {
        const mark = marks.indexOf(part);
        return mark < 0 ? [...this.#inner.encode(part)] : [this.#inner.vocabularySize + mark];
      }),
    );
  }

  decode(ids: ArrayLike<number>): string {
    let [text, begin] = ['', 0];
    const all = Array.from(ids);
    for (let i = 0; i <= all.length; i++) {
      const mark = this.#mark(all[i]);
      if (i < all.length && mark === undefined) continue;
      if (begin < i) text += this.#inner.decode(all.slice(begin, i));
      text += mark ?? '';
      begin = i + 1;
    }
    return text;
  }

  #mark(id: number | undefined): string | undefined {
    return id === undefined ? undefined : marks[id - this.#inner.vocabularySize];
  }

  streamDecoder(): StreamDecoder {
    const inner = this.#inner.streamDecoder();
    return {
      push: (id) => {
        const mark = this.#mark(id);
        return mark === undefined ? inner.push(id) : inner.flush() + mark;
      },
      flush: () => inner.flush(),
    };
  }

  tokenByteLength(id: number): number {
    return this.#mark(id) === undefined ? this.#inner.tokenByteLength(id) : 0;
  }

  safeBoundary(text: string, from: number): number {
    return this.#inner.safeBoundary(text, from);
  }

  toFiles(): TokenizerFiles {
    const files = this.#inner.toFiles();
    const first = this.#inner.vocabularySize;
    const added = marks.map((mark, i) => specialToken(first + i, mark));
    return {
      'tokenizer.json': {
        ...files['tokenizer.json'],
        added_tokens: [...elements(field(files['tokenizer.json'], 'added_tokens')), ...added],
        post_processor: template(first),
      },
      'tokenizer_config.json': {
        ...files['tokenizer_config.json'],
        ...{ pad_token: '[PAD]', cls_token: '[CLS]', sep_token: '[SEP]', mask_token: '[MASK]' },
      },
    };
  }
}

/** The marks of a marked tokenizer with so many tokens. */
export const marksAt = (vocabularySize: number) => ({
  start: vocabularySize - 3,
  end: vocabularySize - 2,
  mask: vocabularySize - 1,
});

/** Marks around a text, and around each of two, for Hugging Face's libraries. */
function template(first: number): JsonObject {
  const mark = (id: string, type: number) => ({ SpecialToken: { id, type_id: type } });
  const text = (id: string, type: number) => ({ Sequence: { id, type_id: type } });
  const single = [mark('[CLS]', 0), text('A', 0), mark('[SEP]', 0)];
  const special = (id: string, i: number) => [id, { id, ids: [first + i], tokens: [id] }] as const;
  return {
    type: 'TemplateProcessing',
    single,
    pair: [...single, text('B', 1), mark('[SEP]', 1)],
    special_tokens: Object.fromEntries(['[CLS]', '[SEP]'].map((id, i) => special(id, i + 1))),
  };
}

/** The files of the tokenizer that was marked, where these are of a marked one. */
export function unmarked(tokenizer: JsonObject, config: JsonObject): TokenizerFiles | undefined {
  const added = elements(field(tokenizer, 'added_tokens'));
  const last = added.slice(-marks.length);
  const ids = last.map((token) => Number(field(token, 'id')));
  const isOurs =
    last.length === marks.length &&
    last.every((token, i) => field(token, 'content') === marks[i] && ids[i] === (ids[0] ?? 0) + i);
  if (!isOurs) return undefined;
  const { pad_token: _, cls_token: __, sep_token: ___, mask_token: ____, ...rest } = config;
  return {
    'tokenizer.json': { ...tokenizer, added_tokens: added.slice(0, -marks.length), post_processor: null },
    'tokenizer_config.json': rest,
  };
}
