/**
 * ModernBERT, an encoder with what was learned since BERT: rotary positions, norms before each part, a gated block, no
 * biases, and attention that in most layers looks but a window to either side. Source: Warner 2024, arXiv:2412.13663.
 *
 * - `local` layers see `localAttention / 2` tokens to either side, and turn by a base of their own; the others see the
 *   whole text
 * - the first layer has no norm before its attention: the embedding's stands there
 * - projections that write to the residual stream start smaller, by 1 / sqrt(2 layers)
 * - weights carry Hugging Face's names; the head for hidden words shares the embedding's weight
 */
import { geglu } from '../activations/gates.js';
import type { Activation, Gate } from '../activations/kinds.js';
import { gelu } from '../activations/smooth.js';
import { checkOptions, completeOptions } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { dropout } from '../layers/dropout.js';
import { Embedding } from '../layers/embedding.js';
import { FormulaLayer } from '../layers/formula-layer.js';
import { unpackGate } from '../layers/gate-packing.js';
import { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { LayerNorm } from '../layers/normalization.js';
import { RotaryEmbedding } from '../layers/rope.js';
import { requireAxes } from '../layers/shapes.js';
import { hiddenWidth } from '../layers/widths.js';
import { attention, internal, type Tensor } from '../tensor/index.js';
import {
  type Encoder,
  type EncoderHead,
  type EncoderInputs,
  firstVectors,
  meanVectors,
  noHead,
  requirePositions,
  visibleRanges,
} from './encoder.js';
import { type EncoderOptions, encoderDefaults, encoderSizes, requireEvenHeads } from './encoder-options.js';

export interface ModernBertConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly maxPositionEmbeddings: number;
  /** Of each layer, whether its attention is local. */
  readonly localLayers: readonly boolean[];
  /** Tokens of a window, to both sides. */
  readonly localAttention: number;
  readonly globalRopeTheta: number;
  readonly localRopeTheta: number;
  readonly normEps: number;
  readonly normBias: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
  readonly decoderBias: boolean;
  readonly classifierBias: boolean;
  /** The vector of a text that its class is told by. */
  readonly classifierPooling: 'cls' | 'mean';
  /** Of the heads. */
  readonly classifierActivation: Activation;
  readonly initializerRange: number;
  readonly gate: Gate;
  readonly dropout: number;
  readonly head: EncoderHead;
  /** The classes that a head for texts or tokens tells apart. */
  readonly labels: readonly string[];
}

/** The whole configuration: every third layer sees the whole text. @throws SluiceError `argument` for sizes that do not fit each other. */
export function modernBertConfig(options: EncoderOptions<Gate>): ModernBertConfig {
  const complete = completeOptions('modernBert', options, encoderDefaults<Gate>(geglu));
  const { vocabSize, dim, layers, heads, context, feedForward, dropout, head, labels } = complete;
  const hidden = complete.hidden ?? hiddenWidth(dim, 'gate');
  encoderSizes('a ModernBERT', { vocabSize, dim, layers, heads, context, hidden }, { head, labels });
  requireEvenHeads('a ModernBERT', dim, heads);
  return {
    vocabSize,
    hiddenSize: dim,
    intermediateSize: hidden,
    numHiddenLayers: layers,
    numAttentionHeads: heads,
    maxPositionEmbeddings: context,
    localLayers: Array.from({ length: layers }, (_, i) => i % 3 !== 0),
    localAttention: 128,
    globalRopeTheta: 160_000,
    localRopeTheta: 10_000,
    normEps: 1e-5,
    normBias: false,
    attentionBias: false,
    mlpBias: false,
    decoderBias: true,
    classifierBias: false,
    classifierPooling: 'cls',
    classifierActivation: gelu,
    initializerRange: 0.02,
    gate: feedForward,
    dropout,
    head,
    labels,
  };
}

const outputDeviation = ({ initializerRange, numHiddenLayers }: ModernBertConfig): number =>
  initializerRange / Math.sqrt(2 * numHiddenLayers);

const norm = (init: Initializer, { hiddenSize, normEps, normBias }: ModernBertConfig): LayerNorm =>
  new LayerNorm(init, hiddenSize, normEps, { bias: normBias });

class ModernBertEmbeddings extends Layer {
  readonly tokEmbeddings: Embedding;
  readonly norm: LayerNorm;

  constructor(init: Initializer, config: ModernBertConfig) {
    super();
    this.tokEmbeddings = new Embedding(init, config.vocabSize, config.hiddenSize, config.initializerRange);
    this.norm = norm(init, config);
  }
}

/** What attention looks at: the keys of each query, and the turn of its positions. */
interface Sight {
  readonly ranges: Tensor | undefined;
  readonly rope: RotaryEmbedding;
}

class ModernBertAttention extends Layer {
  readonly Wqkv: Linear;
  readonly Wo: Linear;
  readonly #heads: number;

  constructor(init: Initializer, config: ModernBertConfig) {
    super();
    const { hiddenSize, attentionBias: bias, initializerRange: deviation } = config;
    this.Wqkv = new Linear(init, hiddenSize, 3 * hiddenSize, { bias, deviation });
    this.Wo = new Linear(init, hiddenSize, hiddenSize, { bias, deviation: outputDeviation(config) });
    this.#heads = config.numAttentionHeads;
  }

  forward(x: Tensor, { ranges, rope }: Sight): Tensor {
    const [batch = 0, time = 0, dim = 0] = x.shape;
    const heads = this.#heads;
    const projected = this.Wqkv.forward(x).reshape([batch, time, 3 * heads, dim / heads]);
    const all = rope.turn(projected, 2 * heads, 0);
    const [query, key, value] = [0, 1, 2].map((i) => all.slice(2, i * heads, (i + 1) * heads)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const mixed = attention(query, key, value, ranges === undefined ? {} : { ranges });
    return this.Wo.forward(mixed.reshape([batch, time, dim]));
  }
}

/** Gate and value come from one product, the gate first. */
class ModernBertBlock extends Layer {
  readonly Wi: Linear;
  readonly Wo: Linear;
  readonly act: FormulaLayer;

  constructor(init: Initializer, config: ModernBertConfig) {
    super();
    const { hiddenSize, intermediateSize, mlpBias: bias, initializerRange: deviation, gate } = config;
    this.Wi = new Linear(init, hiddenSize, 2 * intermediateSize, { bias, deviation });
    this.Wo = new Linear(init, intermediateSize, hiddenSize, { bias, deviation: outputDeviation(config) });
    this.act = new FormulaLayer(init, gate);
  }

  forward(x: Tensor, mode: Mode): Tensor {
    const { gate, value } = unpackGate(this.Wi.forward(x), { order: 'gate-first', layout: 'halves' });
    return this.Wo.forward(this.act.forward(mode, gate, value));
  }
}

class ModernBertLayer extends Layer {
  readonly attnNorm: LayerNorm | undefined;
  readonly attn: ModernBertAttention;
  readonly mlpNorm: LayerNorm;
  readonly mlp: ModernBertBlock;
  readonly #dropout: number;

  constructor(init: Initializer, config: ModernBertConfig, index: number) {
    super();
    this.attnNorm = index === 0 ? undefined : norm(init, config);
    this.attn = new ModernBertAttention(init, config);
    this.mlpNorm = norm(init, config);
    this.mlp = new ModernBertBlock(init, config);
    this.#dropout = config.dropout;
  }

  forward(x: Tensor, mode: Mode, sight: Sight): Tensor {
    return internal(() => {
      const attended = this.attn.forward(this.attnNorm?.forward(x) ?? x, sight);
      const middle = x.add(dropout(attended, this.#dropout, mode));
      return middle.add(dropout(this.mlp.forward(this.mlpNorm.forward(middle), mode), this.#dropout, mode));
    });
  }
}

class ModernBertModel extends Layer {
  readonly embeddings: ModernBertEmbeddings;
  readonly layers: readonly ModernBertLayer[];
  readonly finalNorm: LayerNorm;

  constructor(init: Initializer, config: ModernBertConfig) {
    super();
    this.embeddings = new ModernBertEmbeddings(init, config);
    this.layers = Array.from({ length: config.numHiddenLayers }, (_, i) => new ModernBertLayer(init, config, i));
    this.finalNorm = norm(init, config);
  }
}

/** What every head begins with. */
class ModernBertTransform extends Layer {
  readonly dense: Linear;
  readonly act: FormulaLayer;
  readonly norm: LayerNorm;

  constructor(init: Initializer, config: ModernBertConfig) {
    super();
    const { hiddenSize, classifierBias: bias } = config;
    this.dense = new Linear(init, hiddenSize, hiddenSize, { bias, deviation: outputDeviation(config) });
    this.act = new FormulaLayer(init, config.classifierActivation);
    this.norm = norm(init, config);
  }

  forward(vectors: Tensor, mode: Mode): Tensor {
    return this.norm.forward(this.act.forward(mode, this.dense.forward(vectors)));
  }
}

/** The logits of hidden words by the embedding's weight. */
class ModernBertDecoder extends Layer {
  readonly bias: Tensor | undefined;

  constructor(init: Initializer, { vocabSize, decoderBias }: ModernBertConfig) {
    super();
    this.bias = decoderBias ? init.constant([vocabSize], 0) : undefined;
  }

  forward(vectors: Tensor, words: Tensor): Tensor {
    const logits = vectors.matmul(words.transpose(0, 1));
    return this.bias === undefined ? logits : logits.add(this.bias);
  }
}

export class ModernBert extends Layer implements Encoder {
  /** Its weights have a prefix but where nothing stands on it. */
  readonly model: ModernBertModel;
  readonly #head: ModernBertTransform | undefined;
  readonly decoder: ModernBertDecoder | undefined;
  readonly classifier: Linear | undefined;
  readonly #config: ModernBertConfig;
  readonly #ropes: Readonly<Record<'local' | 'global', RotaryEmbedding>>;

  constructor(init: Initializer, config: ModernBertConfig) {
    super();
    checkOptions('ModernBert', config, modernBertConfig({ vocabSize: 1, dim: 2, layers: 1, heads: 1, context: 1 }));
    const { head, hiddenSize, labels, maxPositionEmbeddings: positions, numAttentionHeads } = config;
    this.#config = config;
    this.model = new ModernBertModel(init, config);
    this.#head = head === 'none' ? undefined : new ModernBertTransform(init, config);
    this.decoder = head === 'words' ? new ModernBertDecoder(init, config) : undefined;
    const isClassifier = head === 'texts' || head === 'tokens';
    this.classifier = isClassifier
      ? new Linear(init, hiddenSize, labels.length, { bias: true, deviation: hiddenSize ** -0.5 })
      : undefined;
    const rope = (theta: number): RotaryEmbedding =>
      new RotaryEmbedding(init.device, positions, hiddenSize / numAttentionHeads, theta);
    this.#ropes = { local: rope(config.localRopeTheta), global: rope(config.globalRopeTheta) };
  }

  /** `head` is what its checkpoints call the layer that every head begins with. */
  protected override get members(): object {
    return { model: this.model, head: this.#head, decoder: this.decoder, classifier: this.classifier };
  }

  get config(): ModernBertConfig {
    return this.#config;
  }

  get head(): EncoderHead {
    return this.#config.head;
  }

  get vocabSize(): number {
    return this.#config.vocabSize;
  }

  get hiddenSize(): number {
    return this.#config.hiddenSize;
  }

  get maxPositions(): number {
    return this.#config.maxPositionEmbeddings;
  }

  encode(tokens: Tensor, mode: Mode, { spans }: EncoderInputs = {}): Tensor {
    requireAxes('a ModernBERT', { batch: undefined, time: undefined }, tokens);
    const [batch = 0, time = 0] = tokens.shape;
    requirePositions('this ModernBERT', time, this.maxPositions);
    const { localLayers, localAttention, dropout: probability } = this.#config;
    const sight = (rope: RotaryEmbedding, window?: number): Sight => ({
      ranges: visibleRanges(tokens.device, { batch, time, spans }, window),
      rope,
    });
    return internal(() => {
      const global = sight(this.#ropes.global);
      const local = localLayers.includes(true) ? sight(this.#ropes.local, Math.floor(localAttention / 2)) : global;
      const { embeddings, layers, finalNorm } = this.model;
      let x = dropout(embeddings.norm.forward(embeddings.tokEmbeddings.forward(tokens)), probability, mode);
      layers.forEach((layer, i) => {
        x = layer.forward(x, mode, localLayers[i] === true ? local : global);
      });
      return finalNorm.forward(x);
    });
  }

  logits(vectors: Tensor, mode: Mode, { spans }: EncoderInputs = {}): Tensor {
    const { classifierPooling, dropout: probability, head } = this.#config;
    return internal(() => {
      const pool = classifierPooling === 'mean' ? meanVectors : firstVectors;
      const said = this.#head?.forward(head === 'texts' ? pool(vectors, spans) : vectors, mode);
      if (said === undefined) throw noHead('this ModernBERT');
      if (this.decoder !== undefined) return this.decoder.forward(said, this.model.embeddings.tokEmbeddings.weight);
      return this.classifier?.forward(dropout(said, probability, mode)) ?? said;
    });
  }

  override dispose(): void {
    super.dispose();
    for (const rope of Object.values(this.#ropes)) rope.dispose();
  }
}

/**
 * A new ModernBERT with random weights that depend on the seed (0 by default) alone.
 * @example const model = modernBert(device, { vocabSize: 2048, dim: 128, layers: 3, heads: 2, context: 256, head: 'words' });
 */
export function modernBert(device: Device, options: EncoderOptions<Gate> & { readonly seed?: number }): ModernBert {
  checkOptions('modernBert', options, { ...encoderDefaults<Gate>(geglu), seed: 0 });
  const { seed = 0, ...shape } = options;
  return new ModernBert(new Initializer(device, seed), modernBertConfig(shape));
}
