import { SluiceError } from '../../base/errors.js';
import { elements, field, type Json } from '../json.js';
import { makerOf } from './normalizers.js';

/** Ids with the special tokens of the tokenizer around them, and which of two texts each belongs to. */
export interface Framed {
  readonly ids: Uint32Array;
  readonly types: Uint8Array;
}

interface Part {
  readonly ids: readonly number[];
  readonly type: number;
}

/** Puts special tokens around a text, or two. */
export type Frame = (parts: readonly Part[]) => readonly Part[];

/** A template: special tokens and the two texts, each with its type. */
function template(config: Json): Frame {
  const idsOf = (name: string): number[] => {
    const ids = elements(field(config, 'special_tokens', name, 'ids')).map(Number);
    if (ids.length > 0 && ids.every((id) => Number.isInteger(id) && id >= 0)) return ids;
    throw new SluiceError('format', {
      rule: 'a template in tokenizer.json has the ids of its special tokens',
      received: name,
      remedy: 'Fetch tokenizer.json anew.',
    });
  };
  const steps = (key: 'single' | 'pair') =>
    elements(field(config, key)).map((step) => {
      const name = field(step, 'SpecialToken', 'id');
      const type = Number(field(step, name === undefined ? 'Sequence' : 'SpecialToken', 'type_id') ?? 0);
      const place = field(step, 'Sequence', 'id') === 'B' ? 1 : 0;
      return { type, place, ids: name === undefined ? undefined : idsOf(String(name)) };
    });
  const [single, pair] = [steps('single'), steps('pair')];
  return (parts) =>
    (parts.length > 1 ? pair : single).map(({ type, place, ids }) => ({ type, ids: ids ?? parts[place]?.ids ?? [] }));
}

/** `[CLS] A [SEP]` or `[CLS] A [SEP] B [SEP]`; RoBERTa's has two separators in between, and one type. */
const ends =
  (between: number, secondType: number) =>
  (config: Json): Frame => {
    const id = (key: string): readonly number[] => [Number(elements(field(config, key))[1])];
    const [cls, sep] = [id('cls'), id('sep')];
    return ([first, second]) => [
      ...[cls, first?.ids ?? [], sep].map((ids) => ({ ids, type: 0 })),
      ...(second === undefined
        ? []
        : [...Array.from({ length: between }, () => sep), second.ids, sep].map((ids) => ({ ids, type: secondType }))),
    ];
  };

const kinds: Readonly<Record<string, (config: Json) => Frame>> = {
  BertProcessing: ends(0, 1),
  ByteLevel: () => (parts) => parts,
  RobertaProcessing: ends(1, 0),
  Sequence: (config) => {
    const steps = elements(field(config, 'processors')).map(postProcessorOf);
    return (parts) => steps.reduce((done, step) => step(done), parts);
  },
  TemplateProcessing: template,
};

function postProcessorOf(config: Json | undefined): Frame {
  return makerOf('post_processor', kinds, config)?.(config ?? null) ?? ((parts) => parts);
}

/** What a `post_processor` of tokenizer.json does. @throws SluiceError `format` that names a kind it does not know. */
export function frameOf(config: Json | undefined): (texts: readonly Uint32Array[]) => Framed {
  const frame = postProcessorOf(config);
  return (texts) => {
    // Without a template the second text is of type 1 all the same.
    const parts = frame(texts.map((ids, i) => ({ ids: Array.from(ids), type: i })));
    return {
      ids: Uint32Array.from(parts.flatMap(({ ids }) => ids)),
      types: Uint8Array.from(parts.flatMap(({ ids, type }) => ids.map(() => type))),
    };
  };
}
