/** The tokens that an encoder's texts are marked with, whoever made the tokenizer. */
import { SluiceError } from '../base/errors.js';
import { elements, field } from './json.js';
import type { Tokenizer } from './tokenizer.js';

export interface Marks {
  /** Stands in front of a text: [CLS]. */
  readonly start: number;
  /** Stands behind it: [SEP]. */
  readonly end: number;
  /** Stands for a hidden token: [MASK]; not every tokenizer has one. */
  readonly mask: number | undefined;
}

/** What tokenizer_config.json calls each, and how it is spelled where that says nothing. */
const spellings = {
  start: ['cls_token', '[CLS]', '<s>'],
  end: ['sep_token', '[SEP]', '</s>'],
  mask: ['mask_token', '[MASK]', '<mask>'],
} as const satisfies Record<keyof Marks, readonly string[]>;

/** @throws SluiceError `data` for a tokenizer that cannot mark where a text begins and ends. */
export function marksOf(tokenizer: Tokenizer): Marks {
  const { 'tokenizer.json': json, 'tokenizer_config.json': config } = tokenizer.toFiles();
  const added = new Map(
    elements(field(json, 'added_tokens')).map(
      (token) => [field(token, 'content'), Number(field(token, 'id'))] as const,
    ),
  );
  const idOf = (token: string): number | undefined => {
    const id = added.get(token) ?? field(json, 'model', 'vocab', token);
    return typeof id === 'number' ? id : undefined;
  };
  const find = (mark: keyof Marks): number | undefined => {
    const [key, ...usual] = spellings[mark];
    const named = field(config, key, 'content') ?? field(config, key);
    const candidates = typeof named === 'string' ? [named, ...usual] : usual;
    return candidates.map(idOf).find((id) => id !== undefined);
  };
  const [start, end] = [find('start'), find('end')];
  if (start !== undefined && end !== undefined) return { start, end, mask: find('mask') };
  throw new SluiceError('data', {
    rule: 'the tokenizer of an encoder has a token in front of a text and one behind it, [CLS] and [SEP]',
    received: [...added.keys()],
    remedy: 'Use the tokenizer that the model came with.',
  });
}
