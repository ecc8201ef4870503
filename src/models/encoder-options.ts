/** An encoder in the words of the command line. */
import { SluiceError } from '../base/errors.js';
import { checkChoice } from '../base/options.js';
import { type EncoderHead, encoderHeads } from './encoder.js';

export interface EncoderOptions<Block> {
  /** How many tokens there are. */
  readonly vocabSize: number;
  /** Width of the residual stream. */
  readonly dim: number;
  readonly layers: number;
  /** Attention heads: they divide `dim`. */
  readonly heads: number;
  /** The longest text, in tokens. */
  readonly context: number;
  /** Final width of the feed-forward block; 4 dim by default, for a gate two thirds of that. */
  readonly hidden?: number | undefined;
  /** The block's activation, or its gate. */
  readonly feedForward?: Block;
  /** 0 by default. */
  readonly dropout?: number;
  /** `none` by default. */
  readonly head?: EncoderHead;
  /** The classes that a head for texts or tokens tells apart. */
  readonly labels?: readonly string[];
}

export const encoderDefaults = <Block>(feedForward: Block) => ({
  vocabSize: undefined,
  dim: undefined,
  layers: undefined,
  heads: undefined,
  context: undefined,
  hidden: undefined,
  feedForward,
  dropout: 0,
  head: 'none' as EncoderHead,
  labels: [] as readonly string[],
});

/** @throws SluiceError `argument` for a size that is no whole number from 1 on, heads that do not divide, or a head without classes. */
export function encoderSizes(
  model: string,
  sizes: Readonly<Record<'vocabSize' | 'dim' | 'layers' | 'heads' | 'context' | 'hidden', number>>,
  { head, labels }: { readonly head: EncoderHead; readonly labels: readonly string[] },
): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 1) continue;
    throw new SluiceError('argument', {
      rule: `${name} of ${model} is a whole number from 1 on`,
      received: size,
      remedy: 'A small one has dim 128, layers 2, heads 2, context 128 and the vocabSize of its tokenizer.',
    });
  }
  const { dim, heads } = sizes;
  if (dim % heads !== 0) {
    throw new SluiceError('argument', {
      rule: `the heads of ${model} divide its dim ${dim}`,
      received: heads,
      remedy: 'Heads of about 64 are usual: dim 128 has 2.',
    });
  }
  checkChoice('head', head, encoderHeads);
  if ((head === 'texts' || head === 'tokens') && labels.length < 1) {
    throw new SluiceError('argument', {
      rule: `a head for ${head} of ${model} has classes to tell apart`,
      received: 'no labels',
      remedy: "Give labels: ['bad', 'good'].",
    });
  }
}

/** @throws SluiceError `argument` for heads of an odd width, whose numbers cannot turn in pairs. */
export function requireEvenHeads(model: string, dim: number, heads: number): void {
  if ((dim / heads) % 2 === 0) return;
  throw new SluiceError('argument', {
    rule: `a head of ${model} is an even number wide`,
    received: `${dim} / ${heads} = ${dim / heads}`,
    remedy: 'Choose another number of heads.',
  });
}
