import type { Kind } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';

export interface GatedWidthOptions {
  /** The width is rounded up to a multiple of this; 1 by default. */
  readonly multipleOf?: number;
  /** Scales the width before rounding, as Llama 2 70B's 1.3 does. */
  readonly multiplier?: number;
}

const widthDefaults = { multipleOf: 1, multiplier: 1 } satisfies OptionTable<GatedWidthOptions>;

/**
 * The width of a gated block that has the parameters of a plain block of width `h`: two thirds of it, since a gated
 * block has three matrices for the plain one's two. Rounded as LLaMA does. Source: Shazeer 2020; Touvron 2023.
 */
export function gatedWidth(h: number, options: GatedWidthOptions = {}): number {
  const { multipleOf, multiplier } = completeOptions('gatedWidth', options, widthDefaults);
  for (const [name, value] of Object.entries({ h, multipleOf, multiplier })) {
    if (!(value > 0 && Number.isFinite(value))) {
      throw new SluiceError('argument', {
        rule: `${name} of a gated width is positive`,
        received: value,
        remedy: 'Try gatedWidth(4 * dim).',
      });
    }
  }
  const width = Math.floor(multiplier * Math.floor((2 * h) / 3));
  return multipleOf * Math.ceil(width / multipleOf);
}

/** The usual hidden width of a feed-forward block: 4 dim, and for a gated one as many parameters in multiples of 16. */
export const hiddenWidth = (dim: number, kind: Kind): number =>
  kind === 'gate' ? gatedWidth(4 * dim, { multipleOf: 16 }) : 4 * dim;
