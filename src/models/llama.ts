/**
 * LLaMA, the decoder that most open models follow: RMSNorm before each part, rotary positions, grouped-query attention,
 * a gated feed-forward block, no biases unless asked for. With a plain block it is Arcee. Source: Touvron 2023, arXiv:2302.13971.
 *
 * - weights carry Hugging Face's names
 * - projections that write to the residual stream start smaller, by 1 / sqrt(2 layers), as in GPT-2
 * - the head shares the embedding's weight when `tieWordEmbeddings` is set
 */
import { swiglu } from '../activations/gates.js';
import { checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { Attention } from '../layers/attention.js';
import { dropout } from '../layers/dropout.js';
import { Embedding } from '../layers/embedding.js';
import { type Block, type BlockFormula, blockOf } from '../layers/feed-forward.js';
import { Initializer } from '../layers/initialization.js';
import { KeyValueCache } from '../layers/key-value-cache.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { RmsNorm } from '../layers/normalization.js';
import type { RotaryEmbedding } from '../layers/rope.js';
import { requireAxes } from '../layers/shapes.js';
import { internal, type Tensor } from '../tensor/index.js';
import type { CausalModel } from './causal-model.js';
import { type DecoderConfig, type DecoderOptions, decoderConfig, decoderDefaults, ropeOf } from './decoder-config.js';

export interface LlamaConfig extends DecoderConfig {
  /** A gate makes the gated block, an activation the plain one, a row function the one with a norm inside. */
  readonly feedForward: BlockFormula;
  /** Biases in all four projections of attention. */
  readonly attentionBias: boolean;
  /** Biases in all projections of the feed-forward block. */
  readonly mlpBias: boolean;
}

/** A LLaMA in the words of the command line; `llamaConfig` says the rest. */
export interface LlamaOptions extends DecoderOptions {
  /** A gate makes the gated block, an activation the plain one, a row function the one with a norm inside; `swiglu` by default. */
  readonly feedForward?: BlockFormula;
  /** Biases in the projections of attention; none by default. */
  readonly attentionBias?: boolean;
  /** Biases in the projections of the feed-forward block; none by default. */
  readonly mlpBias?: boolean;
}

const llamaDefaults = {
  ...decoderDefaults,
  feedForward: swiglu,
  attentionBias: false,
  mlpBias: false,
} satisfies OptionTable<LlamaOptions>;

/**
 * The whole configuration. Embedding and head share a weight.
 * @throws SluiceError `argument` for a size that is not a whole number from 1 on, or heads that do not divide; `name` for
 * an unknown option.
 */
export function llamaConfig(options: LlamaOptions): LlamaConfig {
  const { attentionBias, mlpBias, ...rest } = completeOptions('llama', options, llamaDefaults);
  return { ...decoderConfig('a LLaMA', rest), feedForward: rest.feedForward, attentionBias, mlpBias };
}

class LlamaLayer extends Layer {
  readonly inputLayernorm: RmsNorm;
  readonly selfAttn: Attention;
  readonly postAttentionLayernorm: RmsNorm;
  readonly mlp: Block;
  readonly #dropout: number;

  constructor(init: Initializer, config: LlamaConfig) {
    super();
    const { hiddenSize, intermediateSize, rmsNormEps, initializerRange: deviation, feedForward } = config;
    const outputDeviation = deviation / Math.sqrt(2 * config.numHiddenLayers);
    this.inputLayernorm = new RmsNorm(init, hiddenSize, rmsNormEps);
    this.selfAttn = new Attention(init, hiddenSize, {
      heads: config.numAttentionHeads,
      keyValueHeads: config.numKeyValueHeads,
      headDim: config.headDim,
      causal: true,
      bias: config.attentionBias,
      deviation,
      outputDeviation,
    });
    this.postAttentionLayernorm = new RmsNorm(init, hiddenSize, rmsNormEps);
    const options = { bias: config.mlpBias, deviation, outputDeviation, dropout: config.dropout };
    this.mlp = blockOf(init, hiddenSize, intermediateSize, feedForward, options);
    this.#dropout = config.dropout;
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

class LlamaModel extends Layer {
  readonly embedTokens: Embedding;
  readonly layers: readonly LlamaLayer[];
  readonly norm: RmsNorm;

  constructor(init: Initializer, config: LlamaConfig) {
    super();
    this.embedTokens = new Embedding(init, config.vocabSize, config.hiddenSize, config.initializerRange);
    this.layers = Array.from({ length: config.numHiddenLayers }, () => new LlamaLayer(init, config));
    this.norm = new RmsNorm(init, config.hiddenSize, config.rmsNormEps);
  }
}

/** Logits of the next token at every position. */
export class Llama extends Layer implements CausalModel {
  readonly model: LlamaModel;
  readonly lmHead: Linear | undefined;
  readonly #config: LlamaConfig;
  readonly #rope: RotaryEmbedding;
  readonly #init: Initializer;

  constructor(init: Initializer, config: LlamaConfig) {
    super();
    checkOptions('Llama', config, llamaConfig({ vocabSize: 1, dim: 2, layers: 1, heads: 1, context: 1 }));
    this.#config = config;
    this.#init = init;
    this.model = new LlamaModel(init, config);
    this.lmHead = config.tieWordEmbeddings
      ? undefined
      : new Linear(init, config.hiddenSize, config.vocabSize, { deviation: config.initializerRange });
    this.#rope = ropeOf(init.device, config);
  }

  get config(): LlamaConfig {
    return this.#config;
  }

  get vocabSize(): number {
    return this.#config.vocabSize;
  }

  get maxPositions(): number {
    return this.#rope.positions;
  }

  forward(tokens: Tensor, mode: Mode, caches?: readonly KeyValueCache[]): Tensor {
    requireAxes('a LLaMA', { batch: undefined, time: undefined }, tokens);
    return internal(() => {
      let x = dropout(this.model.embedTokens.forward(tokens), this.#config.dropout, mode);
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
 * A new LLaMA with random weights that depend on the seed (0 by default) alone.
 * @example const model = llama(device, { vocabSize: 257, dim: 128, layers: 4, heads: 4, context: 128 });
 */
export function llama(device: Device, options: LlamaOptions & { readonly seed?: number }): Llama {
  checkOptions('llama', options, { ...llamaDefaults, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new Llama(new Initializer(device, seed), llamaConfig(shape));
}
