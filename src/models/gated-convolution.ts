/**
 * The gated convolutional language model: each layer sees a few tokens before its own, a stack of them many more, and all
 * tokens are computed at once, as no recurrent network does. Source: Dauphin 2016, arXiv:1612.08083.
 *
 * - a layer is x + gate(conv x): two convolutions in one, their halves in the order of PyTorch's `glu`, value first
 * - an activation in place of the gate has one convolution
 * - an RMSNorm before each layer in place of the paper's weight normalization
 * - the head shares the embedding's weight
 */
import { glu } from '../activations/gates.js';
import type { Activation, Gate } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { Conv1d } from '../layers/convolution.js';
import { ConvolutionCache } from '../layers/convolution-cache.js';
import { dropout } from '../layers/dropout.js';
import { Embedding } from '../layers/embedding.js';
import { FormulaLayer } from '../layers/formula-layer.js';
import { unpackGate } from '../layers/gate-packing.js';
import { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import type { Mode } from '../layers/mode.js';
import { RmsNorm } from '../layers/normalization.js';
import { requireAxes } from '../layers/shapes.js';
import { internal, type Tensor } from '../tensor/index.js';
import type { CausalModel } from './causal-model.js';
import type { ModelSummary } from './summary.js';

export interface GatedConvolutionOptions {
  /** How many tokens there are. */
  readonly vocabSize: number;
  /** Width of the residual stream. */
  readonly dim: number;
  readonly layers: number;
  /** Tokens that a layer sees, its own the last; 4 by default. */
  readonly kernel?: number;
  /** `glu` by default; an activation in its place takes one convolution. */
  readonly gate?: Gate | Activation;
  /** 0 by default. */
  readonly dropout?: number;
}

export type GatedConvolutionConfig = Required<GatedConvolutionOptions>;

const defaults = {
  vocabSize: undefined,
  dim: undefined,
  layers: undefined,
  kernel: 4,
  gate: glu,
  dropout: 0,
} satisfies OptionTable<GatedConvolutionOptions>;

/** The whole configuration. @throws SluiceError `argument` for a size that is not a whole number from 1 on. */
export function gatedConvolutionConfig(options: GatedConvolutionOptions): GatedConvolutionConfig {
  const config = completeOptions('gatedConvolution', options, defaults);
  const { vocabSize, dim, layers, kernel } = config;
  for (const [name, size] of Object.entries({ vocabSize, dim, layers, kernel })) {
    if (Number.isInteger(size) && size >= 1) continue;
    throw new SluiceError('argument', {
      rule: `${name} of a gated convolution is a whole number from 1 on`,
      received: size,
      remedy: 'A small one has dim 128, layers 4, kernel 4 and the vocabSize of its tokenizer.',
    });
  }
  return config;
}

class GatedConvolutionLayer extends Layer {
  readonly norm: RmsNorm;
  readonly conv: Conv1d;
  readonly actFn: FormulaLayer;
  readonly #isGated: boolean;
  readonly #dropout: number;

  constructor(init: Initializer, { dim, kernel, gate, dropout }: GatedConvolutionConfig) {
    super();
    this.#isGated = gate.kind === 'gate';
    this.#dropout = dropout;
    this.norm = new RmsNorm(init, dim);
    this.conv = new Conv1d(init, dim, this.#isGated ? 2 * dim : dim, kernel, { padding: 'causal' });
    this.actFn = new FormulaLayer(init, gate);
  }

  /** [batch, time, dim] */
  forward(x: Tensor, mode: Mode, cache?: ConvolutionCache): Tensor {
    return internal(() => {
      const mixed = this.conv.forward(this.norm.forward(x).transpose(1, 2), cache).transpose(1, 2);
      const inputs = this.#isGated ? halvesOf(mixed) : [mixed];
      return x.add(dropout(this.actFn.forward(mode, ...inputs), this.#dropout, mode));
    });
  }
}

function halvesOf(packed: Tensor): readonly [gate: Tensor, value: Tensor] {
  const { gate, value } = unpackGate(packed, { order: 'value-first', layout: 'halves' });
  return [gate, value];
}

/** Logits of the next token at every position, of any number of positions. */
export class GatedConvolution extends Layer implements CausalModel {
  readonly embedTokens: Embedding;
  readonly layers: readonly GatedConvolutionLayer[];
  readonly norm: RmsNorm;
  readonly #config: GatedConvolutionConfig;
  readonly #init: Initializer;

  constructor(init: Initializer, config: GatedConvolutionConfig) {
    super();
    this.#config = config;
    this.#init = init;
    this.embedTokens = new Embedding(init, config.vocabSize, config.dim);
    this.layers = Array.from({ length: config.layers }, () => new GatedConvolutionLayer(init, config));
    this.norm = new RmsNorm(init, config.dim);
  }

  get vocabSize(): number {
    return this.#config.vocabSize;
  }

  get maxPositions(): number {
    return Number.POSITIVE_INFINITY;
  }

  forward(tokens: Tensor, mode: Mode, caches?: readonly ConvolutionCache[]): Tensor {
    requireAxes('a gated convolution', { batch: undefined, time: undefined }, tokens);
    return internal(() => {
      let x = dropout(this.embedTokens.forward(tokens), this.#config.dropout, mode);
      this.layers.forEach((layer, i) => {
        x = layer.forward(x, mode, caches?.[i]);
      });
      return this.norm.forward(x).matmul(this.embedTokens.weight.transpose(0, 1));
    });
  }

  makeCaches(batch: number): ConvolutionCache[] {
    const { dim: channels } = this.#config;
    return this.layers.map(
      ({ conv: { reach } }) => new ConvolutionCache(this.#init.device, { batch, channels, reach }),
    );
  }
}

/** Counts from the shapes alone. FLOPs: 6 per parameter of a product and token. */
export function summarizeGatedConvolution({
  vocabSize,
  dim,
  layers,
  kernel,
  gate,
}: GatedConvolutionConfig): ModelSummary {
  const outputs = gate.kind === 'gate' ? 2 * dim : dim;
  const products = layers * outputs * dim * kernel + vocabSize * dim;
  const parameters = products + layers * (outputs + dim + gate.learned.length) + dim;
  return {
    parameters,
    productParameters: products,
    trainingFlopsPerToken: 6 * products,
    generationFlopsPerToken: 2 * products,
  };
}

/**
 * A new model with random weights that depend on the seed (0 by default) alone.
 * @example const model = gatedConvolution(device, { vocabSize: 257, dim: 128, layers: 6, gate: swiglu });
 */
export function gatedConvolution(
  device: Device,
  options: GatedConvolutionOptions & { readonly seed?: number },
): GatedConvolution {
  checkOptions('gatedConvolution', options, { ...defaults, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new GatedConvolution(new Initializer(device, seed), gatedConvolutionConfig(shape));
}
