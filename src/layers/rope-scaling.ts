/**
 * Ways to turn rotary positions slower, so that a model takes longer texts than it was trained on: those of
 * Transformers, by its names.
 */

/** All frequencies by one factor. Source: Chen 2023, arXiv:2306.15595. */
export interface LinearRopeScaling {
  readonly type: 'linear';
  readonly factor: number;
}

/** A larger base for texts longer than the model's positions, which reach that many times as far. */
export interface DynamicRopeScaling {
  readonly type: 'dynamic';
  readonly factor: number;
}

/** Long waves by the factor, short ones not at all. Source: Dubey 2024, arXiv:2407.21783. */
export interface Llama3RopeScaling {
  readonly type: 'llama3';
  readonly factor: number;
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  /** Positions of the first training. */
  readonly originalPositions: number;
}

/** Slow components by the factor, fast ones not at all, a ramp between them. Source: Peng 2023, arXiv:2309.00071. */
export interface YarnRopeScaling {
  readonly type: 'yarn';
  readonly factor: number;
  /** Positions of the first training. */
  readonly originalPositions: number;
  /** Turns within those positions from which on a component is fast. */
  readonly betaFast: number;
  /** Turns up to which it is slow. */
  readonly betaSlow: number;
  /** What sines and cosines are multiplied by; see `yarnAttentionFactor`. */
  readonly attentionFactor: number;
  /** The ramp begins and ends at whole components. */
  readonly truncate: boolean;
}

export type RopeScaling = LinearRopeScaling | DynamicRopeScaling | Llama3RopeScaling | YarnRopeScaling;

/** What the paper multiplies sines and cosines by, where the configuration says nothing else. */
export function yarnAttentionFactor(
  factor: number,
  scales?: { readonly mscale: number; readonly all: number },
): number {
  const logarithmic = (scale: number): number => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1);
  return scales === undefined ? logarithmic(1) : logarithmic(scales.mscale) / logarithmic(scales.all);
}

export interface RopeShape {
  readonly headDim: number;
  readonly theta: number;
  /** The model's positions. */
  readonly positions: number;
}

/**
 * Radians that each pair of components turns from position to position, [headDim / 2].
 * @param length of the text, which dynamic scaling alone depends on.
 */
export function ropeFrequencies(shape: RopeShape, scaling: RopeScaling | undefined, length: number): Float64Array {
  const { headDim, theta, positions } = shape;
  const plain = frequenciesOf(headDim, theta);
  switch (scaling?.type) {
    case undefined:
      return plain;
    case 'linear':
      return plain.map((frequency) => frequency / scaling.factor);
    case 'dynamic': {
      const { factor } = scaling;
      const stretch = (factor * Math.max(length, positions)) / positions - (factor - 1);
      return frequenciesOf(headDim, theta * stretch ** (headDim / (headDim - 2)));
    }
    case 'llama3':
      return plain.map((frequency) => llama3(frequency, scaling));
    case 'yarn': {
      const ramp = yarnRamp(shape, scaling);
      return plain.map((frequency, i) => {
        const kept = 1 - (ramp[i] ?? 0);
        return (frequency / scaling.factor) * (1 - kept) + frequency * kept;
      });
    }
  }
}

const frequenciesOf = (headDim: number, theta: number): Float64Array =>
  Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));

function llama3(frequency: number, scaling: Llama3RopeScaling): number {
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalPositions } = scaling;
  const turns = (originalPositions * frequency) / (2 * Math.PI);
  if (turns > high) return frequency;
  if (turns < low) return frequency / factor;
  const smooth = (turns - low) / (high - low);
  return ((1 - smooth) * frequency) / factor + smooth * frequency;
}

/** 0 for fast components, 1 for slow ones. */
function yarnRamp({ headDim, theta }: RopeShape, scaling: YarnRopeScaling): number[] {
  const { originalPositions, betaFast, betaSlow, truncate } = scaling;
  const componentOf = (turns: number): number =>
    (headDim * Math.log(originalPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const [fast, slow] = [componentOf(betaFast), componentOf(betaSlow)];
  const low = Math.max(truncate ? Math.floor(fast) : fast, 0);
  const end = Math.min(truncate ? Math.ceil(slow) : slow, headDim - 1);
  const high = end === low ? end + 0.001 : end;
  return Array.from({ length: headDim / 2 }, (_, i) => Math.min(Math.max((i - low) / (high - low), 0), 1));
}
