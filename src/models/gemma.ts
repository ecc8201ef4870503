/**
 * Gemma: a LLaMA with the tanh GELU as its gate, embeddings scaled up and norms by 1 + weight. Source: Gemma 2024,
 * arXiv:2403.08295.
 *
 * - embeddings are multiplied by sqrt(dim) on the way in, not where the head shares them
 * - heads may be wider than dim / heads: `headDim`
 * - rotary positions, grouped-query attention, no biases unless `attentionBias` asks for them
 */
import { gegluTanh } from '../activations/gates.js';
import type { Gate } from '../activations/kinds.js';
import { checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { Attention } from '../layers/attention.js';
import { dropout } from '../layers/dropout.js';
import { Embedding } from '../layers/embedding.js';
import { GatedFeedForward } from '../layers/feed-forward.js';
import { Initializer } from '../layers/initialization.js';
import { KeyValueCache } from '../layers/key-value-cache.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { OffsetRmsNorm } from '../layers/normalization.js';
import type { RotaryEmbedding } from '../layers/rope.js';
import { requireAxes } from '../layers/shapes.js';
import { internal, type Tensor } from '../tensor/index.js';
import type { CausalModel } from './causal-model.js';
import { type DecoderConfig, type DecoderOptions, decoderConfig, decoderDefaults, ropeOf } from './decoder-config.js';
import type { DecoderShape } from './summary.js';

export interface GemmaConfig extends DecoderConfig {
  readonly feedForward: Gate;
  /** Biases in all four projections of attention. */
  readonly attentionBias: boolean;
}

/** A Gemma in the words of the command line; `gemmaConfig` says the rest. */
export interface GemmaOptions extends DecoderOptions {
  /** `gegluTanh` by default. */
  readonly feedForward?: Gate;
  /** Biases in the projections of attention; none by default. */
  readonly attentionBias?: boolean;
}

const gemmaDefaults = {
  ...decoderDefaults,
  feedForward: gegluTanh,
  attentionBias: false,
} satisfies OptionTable<GemmaOptions>;

/**
 * The whole configuration. Embedding and head share a weight.
 * @throws SluiceError `argument` for a size that is not a whole number from 1 on, or heads that do not divide; `name` for
 * an unknown option.
 */
export function gemmaConfig(options: GemmaOptions): GemmaConfig {
  const { attentionBias, ...rest } = completeOptions('gemma', options, gemmaDefaults);
  return { ...decoderConfig('a Gemma', rest), rmsNormEps: 1e-6, feedForward: rest.feedForward, attentionBias };
}

/** The sizes that decide what it costs. */
export function gemmaShape(config: GemmaConfig): DecoderShape {
  const { hiddenSize, numHiddenLayers, headDim } = config;
  const [queries, keys] = [config.numAttentionHeads * headDim, config.numKeyValueHeads * headDim];
  const biases = config.attentionBias ? queries + 2 * keys + hiddenSize : 0;
  return { ...config, vectors: numHiddenLayers * (biases + 2 * hiddenSize) + hiddenSize };
}

class GemmaLayer extends Layer {
  readonly inputLayernorm: OffsetRmsNorm;
  readonly selfAttn: Attention;
  readonly postAttentionLayernorm: OffsetRmsNorm;
  readonly mlp: GatedFeedForward;
  readonly #dropout: number;

  constructor(init: Initializer, config: GemmaConfig) {
    super();
    const { hiddenSize, intermediateSize, rmsNormEps, initializerRange: deviation, dropout } = config;
    const outputDeviation = deviation / Math.sqrt(2 * config.numHiddenLayers);
    this.inputLayernorm = new OffsetRmsNorm(init, hiddenSize, rmsNormEps);
    this.selfAttn = new Attention(init, hiddenSize, {
      heads: config.numAttentionHeads,
      keyValueHeads: config.numKeyValueHeads,
      headDim: config.headDim,
      causal: true,
      bias: config.attentionBias,
      deviation,
      outputDeviation,
    });
    this.postAttentionLayernorm = new OffsetRmsNorm(init, hiddenSize, rmsNormEps);
    const options = { deviation, outputDeviation, dropout };
    this.mlp = new GatedFeedForward(init, hiddenSize, intermediateSize, config.feedForward, options);
    this.#dropout = dropout;
  }

  forward(x: Tensor, mode: Mode, rope: RotaryEmbedding, cache?: KeyValueCache): Tensor {
    const where = cache === undefined ? { rope } : { rope, cache };
    return internal(() => {
      const attended = this.selfAttn.forward(this.inputLayernorm.forward(x), where);
      const middle = x.add(dropout(attended, this.#dropout, mode));
      return middle.add(this.mlp.forward(this.postAttentionLayernorm.forward(middle), mode));
    });
  }
}

class GemmaModel extends Layer {
  readonly embedTokens: Embedding;
  readonly layers: readonly GemmaLayer[];
  readonly norm: OffsetRmsNorm;

  constructor(init: Initializer, config: GemmaConfig) {
    super();
    this.embedTokens = new Embedding(init, config.vocabSize, config.hiddenSize, config.initializerRange);
    this.layers = Array.from({ length: config.numHiddenLayers }, () => new GemmaLayer(init, config));
    this.norm = new OffsetRmsNorm(init, config.hiddenSize, config.rmsNormEps);
  }
}

/** Logits of the next token at every position. */
export class Gemma extends Layer implements CausalModel {
  readonly model: GemmaModel;
  readonly lmHead: Linear | undefined;
  readonly #config: GemmaConfig;
  readonly #rope: RotaryEmbedding;
  readonly #init: Initializer;

  constructor(init: Initializer, config: GemmaConfig) {
    super();
    checkOptions('Gemma', config, gemmaConfig({ vocabSize: 1, dim: 2, layers: 1, heads: 1, context: 1 }));
    this.#config = config;
    this.#init = init;
    this.model = new GemmaModel(init, config);
    this.lmHead = config.tieWordEmbeddings
      ? undefined
      : new Linear(init, config.hiddenSize, config.vocabSize, { deviation: config.initializerRange });
    this.#rope = ropeOf(init.device, config);
  }

  get config(): GemmaConfig {
    return this.#config;
  }

  get vocabSize(): number {
    return this.#config.vocabSize;
  }

  get maxPositions(): number {
    return this.#rope.positions;
  }

  forward(tokens: Tensor, mode: Mode, caches?: readonly KeyValueCache[]): Tensor {
    requireAxes('a Gemma', { batch: undefined, time: undefined }, tokens);
    return internal(() => {
      const embedded = this.model.embedTokens.forward(tokens).mul(Math.sqrt(this.#config.hiddenSize));
      let x = dropout(embedded, this.#config.dropout, mode);
      this.model.layers.forEach((layer, i) => {
        x = layer.forward(x, mode, this.#rope, caches?.[i]);
      });
      x = this.model.norm.forward(x);
      return this.lmHead?.forward(x) ?? x.matmul(this.model.embedTokens.weight.transpose(0, 1));
    });
  }

  override dispose(): void {
    super.dispose();
    this.#rope.dispose();
  }

  makeCaches(batch: number): KeyValueCache[] {
    const { numKeyValueHeads: keyValueHeads, headDim } = this.#config;
    const sizes = { batch, positions: this.maxPositions, keyValueHeads, headDim };
    return this.model.layers.map(() => new KeyValueCache(this.#init.device, sizes));
  }
}

/**
 * A new Gemma with random weights that depend on the seed (0 by default) alone.
 * @example const model = gemma(device, { vocabSize: 257, dim: 128, layers: 4, heads: 4, headDim: 64, context: 128 });
 */
export function gemma(device: Device, options: GemmaOptions & { readonly seed?: number }): Gemma {
  checkOptions('gemma', options, { ...gemmaDefaults, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new Gemma(new Initializer(device, seed), gemmaConfig(shape));
}
