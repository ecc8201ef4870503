import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import type { Pair } from '../kernels/windows.js';
import { internal, type Tensor } from '../tensor/index.js';
import { convolve } from '../tensor/operations/convolution.js';
import type { ConvolutionCache } from './convolution-cache.js';
import type { Distribution, Initializer } from './initialization.js';
import { Layer } from './layer.js';
import { requireAxes } from './shapes.js';
import { type AlongLine, pairOf, type Sizes } from './sizes.js';

export interface ConvolutionOptions {
  /** 1 by default. */
  readonly stride?: Sizes;
  /** Zeros on either side, 0 by default; `same` as many as keep the size where the stride is 1. */
  readonly padding?: Sizes | 'same';
  /** How far apart a window's elements are; 1 by default. */
  readonly dilation?: Sizes;
  /** Parts of the channels that see nothing of each other; 1 by default, as many as channels for a depthwise convolution. */
  readonly groups?: number;
  /** True by default. */
  readonly bias?: boolean;
  /** Standard deviation of the initial weights; 1 / sqrt(numbers that an output sees) by default. */
  readonly deviation?: number;
  /** How they are spread; 'normal' by default. */
  readonly distribution?: Distribution;
}

export interface LineConvolutionOptions extends AlongLine<Omit<ConvolutionOptions, 'padding'>> {
  /** As in `ConvolutionOptions`; `causal` all of them in front, so that nothing sees what follows it. */
  readonly padding?: number | 'same' | 'causal';
}

const defaults = {
  stride: 1,
  padding: 0,
  dilation: 1,
  groups: 1,
  bias: true,
  deviation: undefined,
  distribution: 'normal',
} satisfies OptionTable<ConvolutionOptions>;

/** Zeros before and behind. */
function paddingOf(
  layer: string,
  padding: number | 'same' | 'causal',
  kernel: number,
  { stride, dilation }: { readonly stride: number; readonly dilation: number },
): Pair {
  if (typeof padding === 'number') return [padding, padding];
  const reach = dilation * (kernel - 1);
  if (padding === 'causal' && layer === 'Conv1d') return [reach, 0];
  if (padding === 'same' && stride === 1) return [Math.floor(reach / 2), Math.ceil(reach / 2)];
  throw new SluiceError('argument', {
    rule: `the padding of a ${layer} is a number, or same with stride 1${layer === 'Conv1d' ? ', or causal' : ''}`,
    received: padding === 'same' ? `same with stride ${stride}` : padding,
    remedy: 'Give the number of zeros on either side.',
  });
}

const none: Pair = [0, 0];

/** Channels of a convolution, from the input to the output. */
interface Channels {
  readonly inputs: number;
  readonly outputs: number;
  readonly groups: number;
}

interface Weights {
  readonly bias: boolean;
  readonly deviation: number | undefined;
  readonly distribution: Distribution;
}

/** The parameters of a convolution, by PyTorch's names and in its shapes. */
abstract class Convolution extends Layer {
  /** [outputs, inputs / groups, ...kernel] */
  readonly weight: Tensor;
  /** [outputs] */
  readonly bias: Tensor | undefined;

  constructor(
    init: Initializer,
    { inputs, outputs, groups }: Channels,
    kernel: readonly number[],
    { bias, deviation, distribution }: Weights,
  ) {
    super();
    const odd = [inputs, outputs, groups, ...kernel].find((size) => !(Number.isInteger(size) && size >= 1));
    if (odd !== undefined || inputs % groups !== 0 || outputs % groups !== 0) {
      throw new SluiceError('argument', {
        rule: 'channels, groups and kernel of a convolution are whole numbers from 1 on, and groups divide the channels',
        received: odd ?? `${groups} groups of ${inputs} channels to ${outputs}`,
        remedy: 'Write for example new Conv2d(init, 1, 8, 5), with groups as many as input channels, or left out.',
      });
    }
    const seen = kernel.reduce((product, size) => product * size, inputs / groups);
    const shape = [outputs, inputs / groups, ...kernel];
    this.weight = init.random(shape, deviation ?? 1 / Math.sqrt(seen), distribution);
    this.bias = bias ? init.constant([outputs], 0) : undefined;
  }

  override get decayed(): readonly string[] {
    return ['weight'];
  }
}

/**
 * A convolution along a line, [batch, inputs, length] to [batch, outputs, windows], as PyTorch's Conv1d. Where the
 * channels of the input lie side by side in memory (a transposed [batch, length, inputs]), those of the output do.
 */
export class Conv1d extends Convolution {
  readonly #options: Required<Omit<LineConvolutionOptions, keyof Weights | 'padding'>>;
  readonly #padding: Pair;

  constructor(init: Initializer, inputs: number, outputs: number, kernel: number, given: LineConvolutionOptions = {}) {
    const { padding, bias, deviation, distribution, ...options } = completeOptions('Conv1d', given, defaults);
    super(init, { inputs, outputs, groups: options.groups }, [kernel], { bias, deviation, distribution });
    this.#options = options;
    this.#padding = paddingOf('Conv1d', padding, kernel, options);
  }

  /** How many elements before its own a causal convolution sees. */
  get reach(): number {
    return this.#options.dilation * ((this.weight.shape[2] ?? 1) - 1);
  }

  #requireCausal(): void {
    const { stride } = this.#options;
    const [before, behind] = this.#padding;
    if (stride === 1 && before === this.reach && behind === 0) return;
    throw new SluiceError('argument', {
      rule: 'a cache is for a causal convolution of stride 1',
      received: { stride, padding: this.#padding },
      remedy: "Make it with padding 'causal', or leave the cache out.",
    });
  }

  /** With a cache, of a causal convolution, after what the cache has seen. */
  forward(x: Tensor, cache?: ConvolutionCache): Tensor {
    const { stride, dilation, groups } = this.#options;
    if (cache !== undefined) this.#requireCausal();
    requireAxes('a Conv1d', { batch: undefined, channels: (this.weight.shape[1] ?? 1) * groups, length: undefined }, x);
    // A line of pixels lies along the axis that suits its memory: channels side by side are taken pixel by pixel.
    const isUpright = x.strides[1] === 1;
    const across = <T>(along: T, other: T): readonly [T, T] => (isUpright ? [along, other] : [other, along]);
    const axis = isUpright ? 3 : 2;
    const options = { stride: across(stride, 1), dilation: across(dilation, 1), groups };
    const padding = across(cache === undefined ? this.#padding : none, none);
    return internal(() => {
      const line = (cache?.extend(x) ?? x).unsqueeze(axis);
      return convolve(line, this.weight.unsqueeze(axis), this.bias, { ...options, padding }).squeeze(axis);
    });
  }
}

/** A convolution of images, [batch, inputs, height, width] to [batch, outputs, rows, columns], as PyTorch's Conv2d. */
export class Conv2d extends Convolution {
  readonly #options: { readonly stride: Pair; readonly dilation: Pair; readonly groups: number };
  readonly #padding: readonly [Pair, Pair];

  constructor(init: Initializer, inputs: number, outputs: number, kernel: Sizes, given: ConvolutionOptions = {}) {
    const { stride, padding, dilation, groups, ...weights } = completeOptions('Conv2d', given, defaults);
    const window = pairOf(kernel);
    super(init, { inputs, outputs, groups }, window, weights);
    this.#options = { stride: pairOf(stride), dilation: pairOf(dilation), groups };
    const pad = (axis: 0 | 1): Pair => {
      const own = { stride: this.#options.stride[axis], dilation: this.#options.dilation[axis] };
      return paddingOf('Conv2d', typeof padding === 'string' ? padding : pairOf(padding)[axis], window[axis], own);
    };
    this.#padding = [pad(0), pad(1)];
  }

  forward(x: Tensor): Tensor {
    const channels = (this.weight.shape[1] ?? 1) * this.#options.groups;
    requireAxes('a Conv2d', { batch: undefined, channels, height: undefined, width: undefined }, x);
    return convolve(x, this.weight, this.bias, { ...this.#options, padding: this.#padding });
  }
}
