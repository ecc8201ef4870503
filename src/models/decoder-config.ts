/** What the configurations of LLaMA and the decoders that followed it have in common. */
import { SluiceError } from '../base/errors.js';
import type { OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import type { BlockFormula } from '../layers/feed-forward.js';
import { RotaryEmbedding } from '../layers/rope.js';
import type { RopeScaling } from '../layers/rope-scaling.js';
import { hiddenWidth } from '../layers/widths.js';

export interface DecoderConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  /** How positions are stretched, where they are. */
  readonly ropeScaling: RopeScaling | undefined;
  readonly tieWordEmbeddings: boolean;
  readonly initializerRange: number;
  readonly dropout: number;
}

/** A decoder in the words of the command line. */
export interface DecoderOptions {
  /** How many tokens there are. */
  readonly vocabSize: number;
  /** Width of the residual stream. */
  readonly dim: number;
  readonly layers: number;
  /** Attention heads: they divide `dim` into even widths, unless `headDim` is given. */
  readonly heads: number;
  /** Heads of keys and values; they divide `heads`, which is the default. */
  readonly kvHeads?: number;
  /** Width of a head; dim / heads by default. */
  readonly headDim?: number;
  /** The longest sequence, in tokens. */
  readonly context: number;
  /** Final width of the feed-forward block; 4 dim by default, for a gate two thirds of that. */
  readonly hidden?: number;
  /** 0 by default. */
  readonly dropout?: number;
}

export const decoderDefaults = {
  vocabSize: undefined,
  dim: undefined,
  layers: undefined,
  heads: undefined,
  kvHeads: undefined,
  headDim: undefined,
  context: undefined,
  hidden: undefined,
  dropout: 0,
} satisfies OptionTable<DecoderOptions>;

/** With the defaults filled in. */
type CompleteOptions = { readonly [K in keyof DecoderOptions]-?: DecoderOptions[K] | undefined } & {
  readonly [K in 'vocabSize' | 'dim' | 'layers' | 'heads' | 'context' | 'dropout']: number;
} & { readonly feedForward: BlockFormula };

/**
 * The whole configuration. Embedding and head share a weight.
 * @param model with its article, for messages: `a LLaMA`.
 * @throws SluiceError `argument` for a size that is not a whole number from 1 on, or heads that do not divide.
 */
export function decoderConfig(model: string, options: CompleteOptions): DecoderConfig {
  const { vocabSize, dim, layers, heads, kvHeads = heads, context, feedForward, dropout } = options;
  requireSizes(model, { vocabSize, dim, layers, heads, kvHeads, context });
  const { hidden = hiddenWidth(dim, feedForward.kind), headDim = evenHead(dim, heads) } = options;
  requireSizes(model, { hidden, headDim });
  if (heads % kvHeads !== 0) {
    const remedy = 'Leave it out for one for each head.';
    throw new SluiceError('argument', { rule: `kvHeads divides heads ${heads}`, received: kvHeads, remedy });
  }
  return {
    vocabSize,
    hiddenSize: dim,
    intermediateSize: hidden,
    numHiddenLayers: layers,
    numAttentionHeads: heads,
    numKeyValueHeads: kvHeads,
    headDim,
    maxPositionEmbeddings: context,
    rmsNormEps: 1e-5,
    ropeTheta: 10_000,
    ropeScaling: undefined,
    tieWordEmbeddings: true,
    initializerRange: 0.02,
    dropout,
  };
}

/** @throws SluiceError `argument` for a size that is not a whole number from 1 on. */
export function requireSizes(model: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes)) {
    if (Number.isInteger(size) && size >= 1) continue;
    throw new SluiceError('argument', {
      rule: `${name} of ${model} is a whole number from 1 on`,
      received: size,
      remedy: 'A small one has dim 128, layers 4, heads 4, context 128 and the vocabSize of its tokenizer.',
    });
  }
}

/** dim / heads. @throws SluiceError `argument` where that is no even whole number. */
function evenHead(dim: number, heads: number): number {
  const headDim = dim / heads;
  if (headDim % 2 === 0) return headDim;
  throw new SluiceError('argument', {
    rule: 'dim divided by heads is the width of a head, an even whole number',
    received: `${dim} / ${heads} = ${Number(headDim.toFixed(3))}`,
    remedy: headsRemedy(dim),
  });
}

/** Heads whose width is even and near 32. */
function headsRemedy(dim: number): string {
  const widths = Array.from({ length: 128 }, (_, i) => 256 - 2 * i).filter((width) => dim % width === 0);
  const [width] = widths.sort((a, b) => Math.abs(a - 32) - Math.abs(b - 32));
  return width === undefined ? 'Choose an even dim.' : `Try heads ${dim / width}.`;
}

/** The rotary positions of a decoder. */
export const ropeOf = (device: Device, config: DecoderConfig): RotaryEmbedding =>
  new RotaryEmbedding(device, config.maxPositionEmbeddings, config.headDim, config.ropeTheta, config.ropeScaling);
