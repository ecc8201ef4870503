import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { type BpeTrainerProgress, requireVocabularySize, trainBpe } from './bpe-trainer.js';
import { ByteTokenizer } from './byte-tokenizer.js';
import { CharTokenizer, collectCharacters } from './char-tokenizer.js';
import type { TextPieces } from './pieces.js';
import type { Tokenizer } from './tokenizer.js';

/** What `--tokenizer` can ask for. */
export type TokenizerSpec =
  | { readonly kind: 'char' }
  | { readonly kind: 'byte' }
  | { readonly kind: 'bpe'; readonly vocabularySize: number };

const kinds = ['char', 'byte', 'bpe'] as const;
const elsewhere = 'Write char, byte or bpe:SIZE, for example bpe:4096.';

/** Reads `char`, `byte` or `bpe:SIZE`. Errors: 'name' (an unknown kind), 'argument' (a size). */
export function parseTokenizerSpec(text: string): TokenizerSpec {
  const [name = '', size, ...rest] = text.trim().split(':');
  const kind = kinds.find((known) => known === name);
  if (kind === undefined) {
    throw new SluiceError('name', {
      rule: 'A tokenizer must be char, byte or bpe:SIZE',
      received: text,
      remedy: didYouMean(name, kinds, elsewhere),
    });
  }
  const sized = size !== undefined && /^\d+$/.test(size) && rest.length === 0;
  if (kind === 'bpe' ? !sized : size !== undefined) {
    throw new SluiceError('argument', {
      rule: kind === 'bpe' ? 'A bpe tokenizer must name its vocabulary size' : `The tokenizer ${kind} takes no size`,
      received: text,
      remedy: elsewhere,
    });
  }
  if (kind !== 'bpe') return { kind };
  const vocabularySize = Number(size);
  requireVocabularySize(vocabularySize);
  return { kind, vocabularySize };
}

export interface TrainTokenizerOptions {
  /** Whether the text is made of documents: a character tokenizer then has an end of text. */
  readonly documents: boolean;
  readonly onProgress?: (progress: BpeTrainerProgress) => void;
  readonly signal?: AbortSignal;
}

/** Makes the tokenizer asked for from the text it is to serve. A character tokenizer must see every text it will meet. */
export async function trainTokenizer(
  spec: TokenizerSpec,
  pieces: TextPieces,
  options: TrainTokenizerOptions,
): Promise<Tokenizer> {
  if (spec.kind === 'byte') return new ByteTokenizer();
  if (spec.kind === 'bpe') {
    const { documents: _, ...rest } = options;
    return trainBpe(pieces, { vocabularySize: spec.vocabularySize, ...rest });
  }
  const endOfText = options.documents;
  const characters = await collectCharacters(pieces, { endOfText });
  if (characters.length === 0) {
    throw new SluiceError('data', {
      rule: 'A tokenizer must be trained on some text',
      received: 'none',
      remedy: 'Use a longer text.',
    });
  }
  return new CharTokenizer(characters, { endOfText });
}
