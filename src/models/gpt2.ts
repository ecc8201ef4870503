/**
 * GPT-2: LayerNorm before each part, learned positions, biases everywhere, a plain feed-forward block of four times the
 * width with the tanh GELU. Source: Radford 2019, Language Models are Unsupervised Multitask Learners.
 *
 * - queries, keys and values come from one projection; weights of projections are [inputs, outputs]
 * - projections that write to the residual stream start smaller, by 1 / sqrt(2 layers)
 * - the head shares the embedding's weight when `tieWordEmbeddings` is set
 * - dropout of embeddings, of what is added to the residual stream, and of attention's weights
 */
import type { Activation } from '../activations/kinds.js';
import { geluTanh } from '../activations/smooth.js';
import { SluiceError } from '../base/errors.js';
import { checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { attentionWithDropout } from '../layers/attention-dropout.js';
import { dropout } from '../layers/dropout.js';
import { Embedding } from '../layers/embedding.js';
import { FormulaLayer } from '../layers/formula-layer.js';
import { Initializer } from '../layers/initialization.js';
import { KeyValueCache } from '../layers/key-value-cache.js';
import { Layer } from '../layers/layer.js';
import { Linear, TransposedLinear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { LayerNorm } from '../layers/normalization.js';
import { requireAxes } from '../layers/shapes.js';
import { internal, type Tensor } from '../tensor/index.js';
import type { CausalModel } from './causal-model.js';
import { requireSizes } from './decoder-config.js';
import type { DecoderShape } from './summary.js';

export interface Gpt2Config {
  readonly vocabSize: number;
  readonly positions: number;
  readonly dim: number;
  readonly layers: number;
  readonly heads: number;
  /** Width of the feed-forward block. */
  readonly hidden: number;
  readonly activation: Activation;
  readonly embeddingDropout: number;
  readonly residualDropout: number;
  readonly attentionDropout: number;
  readonly layerNormEpsilon: number;
  readonly initializerRange: number;
  /** Scores of attention are divided by the square root of a head's width. */
  readonly scaleAttention: boolean;
  /** And by the number of the layer, from 1 on. */
  readonly scaleAttentionByLayer: boolean;
  readonly tieWordEmbeddings: boolean;
}

/** A GPT-2 in the words of the command line; `gpt2Config` says the rest. */
export interface Gpt2Options {
  /** How many tokens there are. */
  readonly vocabSize: number;
  /** Width of the residual stream. */
  readonly dim: number;
  readonly layers: number;
  /** Attention heads; they divide `dim`. */
  readonly heads: number;
  /** The longest sequence, in tokens. */
  readonly context: number;
  /** Width of the feed-forward block; 4 dim by default. */
  readonly hidden?: number;
  /** `geluTanh` by default. */
  readonly activation?: Activation;
  /** Of embeddings, residual stream and attention; 0 by default. */
  readonly dropout?: number;
}

const gpt2Defaults = {
  vocabSize: undefined,
  dim: undefined,
  layers: undefined,
  heads: undefined,
  context: undefined,
  hidden: undefined,
  activation: geluTanh,
  dropout: 0,
} satisfies OptionTable<Gpt2Options>;

/**
 * The whole configuration. Embedding and head share a weight.
 * @throws SluiceError `argument` for a size that is not a whole number from 1 on, or heads that do not divide; `name` for
 * an unknown option.
 */
export function gpt2Config(options: Gpt2Options): Gpt2Config {
  const { dropout, ...rest } = completeOptions('gpt2', options, gpt2Defaults);
  const { vocabSize, dim, layers, heads, context: positions, activation, hidden = 4 * dim } = rest;
  requireSizes('a GPT-2', { vocabSize, dim, layers, heads, context: positions, hidden });
  if (dim % heads !== 0) {
    const remedy = `Try heads ${[8, 6, 4, 3, 2, 1].find((count) => dim % count === 0)}.`;
    throw new SluiceError('argument', { rule: `heads divides dim ${dim}`, received: heads, remedy });
  }
  return {
    ...{ vocabSize, positions, dim, layers, heads, hidden, activation },
    embeddingDropout: dropout,
    residualDropout: dropout,
    attentionDropout: dropout,
    layerNormEpsilon: 1e-5,
    initializerRange: 0.02,
    scaleAttention: true,
    scaleAttentionByLayer: false,
    tieWordEmbeddings: true,
  };
}

/** The sizes that decide what it costs. */
export function gpt2Shape(config: Gpt2Config): DecoderShape {
  const { vocabSize, positions, dim, layers, heads, hidden, activation, tieWordEmbeddings } = config;
  // Of each layer two norms, and the biases of four projections.
  const layer = 2 * 2 * dim + 3 * dim + dim + hidden + dim;
  return {
    ...{ vocabSize, tieWordEmbeddings, hiddenSize: dim, intermediateSize: hidden, numHiddenLayers: layers },
    ...{ numAttentionHeads: heads, numKeyValueHeads: heads, headDim: dim / heads, maxPositionEmbeddings: positions },
    ...{ feedForward: activation, dropout: config.residualDropout, holdsWeights: config.attentionDropout > 0 },
    vectors: layers * layer + 2 * dim + positions * dim,
  };
}

class Gpt2Attention extends Layer {
  readonly cAttn: TransposedLinear;
  readonly cProj: TransposedLinear;
  readonly #config: Gpt2Config;
  readonly #scale: number;

  constructor(init: Initializer, config: Gpt2Config, layer: number) {
    super();
    const { dim, heads, layers, initializerRange: deviation, scaleAttention, scaleAttentionByLayer } = config;
    this.cAttn = new TransposedLinear(init, dim, 3 * dim, deviation);
    this.cProj = new TransposedLinear(init, dim, dim, deviation / Math.sqrt(2 * layers));
    this.#config = config;
    this.#scale = (scaleAttention ? Math.sqrt(heads / dim) : 1) / (scaleAttentionByLayer ? layer + 1 : 1);
  }

  forward(x: Tensor, mode: Mode, cache?: KeyValueCache): Tensor {
    const { dim, heads, attentionDropout, residualDropout } = this.#config;
    const [batch = 0, time = 0] = x.shape;
    return internal(() => {
      const states = this.cAttn.forward(x).view([batch, time, 3 * heads, dim / heads]);
      const query = states.slice(2, 0, heads);
      let [key, value] = [states.slice(2, heads, 2 * heads), states.slice(2, 2 * heads)];
      if (cache !== undefined) ({ key, value } = cache.append(key, value));
      const options = { causal: true, scale: this.#scale, dropout: attentionDropout };
      const mixed = attentionWithDropout(query, key, value, options, mode);
      return dropout(this.cProj.forward(mixed.view([batch, time, dim])), residualDropout, mode);
    });
  }
}

class Gpt2Mlp extends Layer {
  readonly cFc: TransposedLinear;
  readonly cProj: TransposedLinear;
  readonly act: FormulaLayer;
  readonly #dropout: number;

  constructor(init: Initializer, config: Gpt2Config) {
    super();
    const { dim, hidden, layers, initializerRange: deviation } = config;
    this.cFc = new TransposedLinear(init, dim, hidden, deviation);
    this.cProj = new TransposedLinear(init, hidden, dim, deviation / Math.sqrt(2 * layers));
    this.act = new FormulaLayer(init, config.activation);
    this.#dropout = config.residualDropout;
  }

  forward(x: Tensor, mode: Mode): Tensor {
    return internal(() => {
      const hidden = this.act.forward(mode, this.cFc.forward(x));
      return dropout(this.cProj.forward(hidden), this.#dropout, mode);
    });
  }
}

class Gpt2Block extends Layer {
  readonly ln_1: LayerNorm;
  readonly attn: Gpt2Attention;
  readonly ln_2: LayerNorm;
  readonly mlp: Gpt2Mlp;

  constructor(init: Initializer, config: Gpt2Config, layer: number) {
    super();
    this.ln_1 = new LayerNorm(init, config.dim, config.layerNormEpsilon);
    this.attn = new Gpt2Attention(init, config, layer);
    this.ln_2 = new LayerNorm(init, config.dim, config.layerNormEpsilon);
    this.mlp = new Gpt2Mlp(init, config);
  }

  forward(x: Tensor, mode: Mode, cache?: KeyValueCache): Tensor {
    return internal(() => {
      const middle = x.add(this.attn.forward(this.ln_1.forward(x), mode, cache));
      return middle.add(this.mlp.forward(this.ln_2.forward(middle), mode));
    });
  }
}

class Gpt2Model extends Layer {
  readonly wte: Embedding;
  readonly wpe: Embedding;
  readonly h: readonly Gpt2Block[];
  readonly lnF: LayerNorm;

  constructor(init: Initializer, config: Gpt2Config) {
    super();
    this.wte = new Embedding(init, config.vocabSize, config.dim, config.initializerRange);
    this.wpe = new Embedding(init, config.positions, config.dim, config.initializerRange);
    this.h = Array.from({ length: config.layers }, (_, layer) => new Gpt2Block(init, config, layer));
    this.lnF = new LayerNorm(init, config.dim, config.layerNormEpsilon);
  }

  /** Vectors of tokens plus those of their positions, of which the first is `start`. */
  embed(tokens: Tensor, start: number): Tensor {
    const [positions = 0] = this.wpe.weight.shape;
    const end = start + (tokens.shape[1] ?? 0);
    if (end > positions) {
      throw new SluiceError('shape', {
        rule: `a GPT-2 of ${positions} positions takes a sequence of at most so many tokens`,
        received: end,
        remedy: 'Shorten the prompt, or train with a longer context.',
      });
    }
    return this.wte.forward(tokens).add(this.wpe.weight.slice(0, start, end));
  }
}

/** Logits of the next token at every position. */
export class Gpt2 extends Layer implements CausalModel {
  readonly transformer: Gpt2Model;
  readonly lmHead: Linear | undefined;
  readonly #config: Gpt2Config;
  readonly #init: Initializer;

  constructor(init: Initializer, config: Gpt2Config) {
    super();
    checkOptions('Gpt2', config, gpt2Config({ vocabSize: 1, dim: 1, layers: 1, heads: 1, context: 1 }));
    this.#config = config;
    this.#init = init;
    this.transformer = new Gpt2Model(init, config);
    this.lmHead = config.tieWordEmbeddings
      ? undefined
      : new Linear(init, config.dim, config.vocabSize, { deviation: config.initializerRange });
  }

  get config(): Gpt2Config {
    return this.#config;
  }

  get vocabSize(): number {
    return this.#config.vocabSize;
  }

  get maxPositions(): number {
    return this.#config.positions;
  }

  forward(tokens: Tensor, mode: Mode, caches?: readonly KeyValueCache[]): Tensor {
    requireAxes('a GPT-2', { batch: undefined, time: undefined }, tokens);
    const { wte, h, lnF } = this.transformer;
    return internal(() => {
      const embedded = this.transformer.embed(tokens, caches?.[0]?.length ?? 0);
      let x = dropout(embedded, this.#config.embeddingDropout, mode);
      h.forEach((block, i) => {
        x = block.forward(x, mode, caches?.[i]);
      });
      x = lnF.forward(x);
      return this.lmHead?.forward(x) ?? x.matmul(wte.weight.transpose(0, 1));
    });
  }

  makeCaches(batch: number): KeyValueCache[] {
    const { positions, heads, dim } = this.#config;
    const sizes = { batch, positions, keyValueHeads: heads, headDim: dim / heads };
    return this.transformer.h.map(() => new KeyValueCache(this.#init.device, sizes));
  }
}

/**
 * A new GPT-2 with random weights that depend on the seed (0 by default) alone.
 * @example const model = gpt2(device, { vocabSize: 257, dim: 128, layers: 4, heads: 4, context: 128 });
 */
export function gpt2(device: Device, options: Gpt2Options & { readonly seed?: number }): Gpt2 {
  checkOptions('gpt2', options, { ...gpt2Defaults, seed: 0 });
  const { seed = 0, ...shape } = options;
  return new Gpt2(new Initializer(device, seed), gpt2Config(shape));
}
