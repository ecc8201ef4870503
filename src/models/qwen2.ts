/**
 * Qwen2: a LLaMA whose projections to queries, keys and values have biases. Source: Yang 2024, arXiv:2407.10671.
 *
 * - RMSNorm before each part, rotary positions, grouped-query attention, a gated feed-forward block
 * - biases nowhere else; attention over the whole context, no sliding window
 * - the head shares the embedding's weight when `tieWordEmbeddings` is set, as in the small ones
 */
import { swiglu } from '../activations/gates.js';
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
import { RmsNorm } from '../layers/normalization.js';
import type { RotaryEmbedding } from '../layers/rope.js';
import { requireAxes } from '../layers/shapes.js';
import { internal, type Tensor } from '../tensor/index.js';
import type { CausalModel } from './causal-model.js';
import { type DecoderConfig, type DecoderOptions, decoderConfig, decoderDefaults, ropeOf } from './decoder-config.js';
import type { DecoderShape } from './summary.js';

export interface Qwen2Config extends DecoderConfig {
  readonly feedForward: Gate;
}

/** A Qwen2 in the words of the command line; `qwen2Config` says the rest. */
export interface Qwen2Options extends DecoderOptions {
  /** `swiglu` by default. */
  readonly feedForward?: Gate;
}

const qwen2Defaults = { ...decoderDefaults, feedForward: swiglu } satisfies OptionTable<Qwen2Options>;

/**
 * The whole configuration. Embedding and head share a weight.
 * @throws SluiceError `argument` for a size that is not a whole number from 1 on, or heads that do not divide; `name` for
 * an unknown option.
 */
export function qwen2Config(options: Qwen2Options): Qwen2Config {
  const complete = completeOptions('qwen2', options, qwen2Defaults);
  return { ...decoderConfig('a Qwen2', complete), rmsNormEps: 1e-6, feedForward: complete.feedForward };
}

/** The sizes that decide what it costs. */
export function qwen2Shape(config: Qwen2Config): DecoderShape {
  const { hiddenSize, numHiddenLayers, headDim } = config;
  const [queries, keys] = [config.numAttentionHeads * headDim, config.numKeyValueHeads * headDim];
  const biases = queries + 2 * keys;
  return { ...config, vectors: numHiddenLayers * (biases + 2 * hiddenSize) + hiddenSize };
}

class Qwen2Layer extends Layer {
  readonly inputLayernorm: RmsNorm;
  readonly selfAttn: Attention;
  readonly postAttentionLayernorm: RmsNorm;
  readonly mlp: GatedFeedForward;
  readonly #dropout: number;

  constructor(init: Initializer, config: Qwen2Config) {
    super();
    const { hiddenSize, intermediateSize, rmsNormEps, initializerRange: deviation, dropout } = config;
    const outputDeviation = deviation / Math.sqrt(2 * config.numHiddenLayers);
    this.inputLayernorm = new RmsNorm(init, hiddenSize, rmsNormEps);
    this.selfAttn = new Attention(init, hiddenSize, {
      heads: config.numAttentionHeads,
      keyValueHeads: config.numKeyValueHeads,
      headDim: config.headDim,
      causal: true,
      bias: { query: true, key: true, value: true },
      deviation,
      outputDeviation,
    });
    this.postAttentionLayernorm = new RmsNorm(init, hiddenSize, rmsNormEps);
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

class Qwen2Model extends Layer {
  readonly embedTokens: Embedding;
  readonly layers: readonly Qwen2Layer[];
  readonly norm: RmsNorm;

  constructor(init: Initializer, config: Qwen2Config) {
    super();
    this.embedTokens = new Embedding(init, config.vocabSize, config.hiddenSize, config.initializerRange);
    this.layers = Array.from({ length: config.numHiddenLayers }, () => new Qwen2Layer(init, config));
    this.norm = new RmsNorm(init, config.hiddenSize, config.rmsNormEps);
  }
}

/** Logits of the next token at every position. */
export class Qwen2 extends Layer implements CausalModel {
  readonly model: Qwen2Model;
  readonly lmHead: Linear | undefined;
  readonly #config: Qwen2Config;
  readonly #rope: RotaryEmbedding;
  readonly #init: Initializer;

  constructor(init: Initializer, config: Qwen2Config) {
    super();
    checkOptions('Qwen2', config, qwen2Config({ vocabSize: 1, dim: 2, layers: 1, heads: 1, context: 1 }));
    this.#config = config;
    this.#init = init;
    this.model = new Qwen2Model(init, config);
    this.lmHead = config.tieWordEmbeddings
      ? undefined
      : new Linear(init, config.hiddenSize, config.vocabSize, { deviation: config.initializerRange });
    this.#rope = ropeOf(init.device, config);
  }

  get config(): Qwen2Config {
    return this.#config;
  }

  get vocabSize(): number {
    return this.#config.vocabSize;
  }

  get maxPositions(): number {
    return this.#rope.positions;
  }

  forward(tokens: Tensor, mode: Mode, caches?: readonly KeyValueCache[]): Tensor {
    requireAxes('a Qwen2', { batch: undefined, time: undefined }, tokens);
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
 * A new Qwen2 with random weights that depend on the seed (0 by default) alone.
 * @example const model = qwen2(device, { vocabSize: 257, dim: 128, layers: 4, heads: 4, kvHeads: 2, context: 128 });
 */
export function qwen2(device: Device, options: Qwen2Options & { readonly seed?: number }): Qwen2 {
  checkOptions('qwen2', options, { ...qwen2Defaults, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new Qwen2(new Initializer(device, seed), qwen2Config(shape));
}
