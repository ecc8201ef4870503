/**
 * BERT, an encoder: each token is read with those before and behind it. Source: Devlin 2018, arXiv:1810.04805.
 *
 * - a token's vector is the sum of three that are learned: of the word, of its position and of its type (first or second text)
 * - the norm stands behind each part: x = norm(x + attention(x)), x = norm(x + block(x))
 * - biases everywhere; weights carry Hugging Face's names
 * - on it stands a head: hidden words (which shares the embedding's weight), the class of a text by the pooled first
 *   token, or the class of each token
 * - unlike the original, attention weights have no dropout of their own
 */

import type { Activation } from '../activations/kinds.js';
import { tanh } from '../activations/saturating.js';
import { gelu } from '../activations/smooth.js';
import { checkOptions, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { dropout } from '../layers/dropout.js';
import { Embedding } from '../layers/embedding.js';
import { FormulaLayer } from '../layers/formula-layer.js';
import { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import { Linear } from '../layers/linear.js';
import type { Mode } from '../layers/mode.js';
import { LayerNorm } from '../layers/normalization.js';
import { requireAxes } from '../layers/shapes.js';
import { attention, internal, type Tensor, tensor } from '../tensor/index.js';
import {
  type Encoder,
  type EncoderHead,
  type EncoderInputs,
  firstVectors,
  noHead,
  requirePositions,
  textPositions,
  visibleRanges,
} from './encoder.js';
import { type EncoderOptions, encoderDefaults, encoderSizes } from './encoder-options.js';

export interface BertConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly maxPositionEmbeddings: number;
  readonly typeVocabSize: number;
  readonly layerNormEps: number;
  readonly initializerRange: number;
  /** Of the block, and of the head for hidden words. */
  readonly activation: Activation;
  readonly dropout: number;
  readonly head: EncoderHead;
  /** Whether it has the pooler, which a head for texts needs; of BERTs without a head some have none. */
  readonly pooled: boolean;
  /** The classes that a head for texts or tokens tells apart. */
  readonly labels: readonly string[];
}

/** The whole configuration. @throws SluiceError `argument` for sizes that do not fit each other. */
export function bertConfig(options: EncoderOptions<Activation>): BertConfig {
  const { vocabSize, dim, layers, heads, context, dropout, head, labels, ...rest } = completeOptions(
    'bert',
    options,
    encoderDefaults<Activation>(gelu) satisfies OptionTable<EncoderOptions<Activation>>,
  );
  const hidden = rest.hidden ?? 4 * dim;
  encoderSizes('a BERT', { vocabSize, dim, layers, heads, context, hidden }, { head, labels });
  return {
    vocabSize,
    hiddenSize: dim,
    intermediateSize: hidden,
    numHiddenLayers: layers,
    numAttentionHeads: heads,
    maxPositionEmbeddings: context,
    typeVocabSize: 2,
    layerNormEps: 1e-12,
    initializerRange: 0.02,
    activation: rest.feedForward,
    dropout,
    head,
    pooled: head === 'texts' || head === 'none',
    labels,
  };
}

const linear = (init: Initializer, inputs: number, outputs: number, deviation: number): Linear =>
  new Linear(init, inputs, outputs, { bias: true, deviation });

class BertEmbeddings extends Layer {
  readonly wordEmbeddings: Embedding;
  readonly positionEmbeddings: Embedding;
  readonly tokenTypeEmbeddings: Embedding;
  readonly LayerNorm: LayerNorm;
  readonly #dropout: number;

  constructor(init: Initializer, config: BertConfig) {
    super();
    const { hiddenSize, initializerRange: deviation } = config;
    this.wordEmbeddings = new Embedding(init, config.vocabSize, hiddenSize, deviation);
    this.positionEmbeddings = new Embedding(init, config.maxPositionEmbeddings, hiddenSize, deviation);
    this.tokenTypeEmbeddings = new Embedding(init, config.typeVocabSize, hiddenSize, deviation);
    this.LayerNorm = new LayerNorm(init, hiddenSize, config.layerNormEps);
    this.#dropout = config.dropout;
  }

  forward(tokens: Tensor, mode: Mode, { spans, types }: EncoderInputs): Tensor {
    const [batch = 0, time = 0] = tokens.shape;
    const places = textPositions({ batch, time, spans });
    const positions =
      places === undefined
        ? this.positionEmbeddings.weight.slice(0, 0, time)
        : this.positionEmbeddings.forward(tensor(tokens.device, places, [batch, time], { dtype: 'int32' }));
    const kinds =
      types === undefined ? this.tokenTypeEmbeddings.weight.slice(0, 0, 1) : this.tokenTypeEmbeddings.forward(types);
    const sum = this.wordEmbeddings.forward(tokens).add(positions).add(kinds);
    return dropout(this.LayerNorm.forward(sum), this.#dropout, mode);
  }
}

class BertSelfAttention extends Layer {
  readonly query: Linear;
  readonly key: Linear;
  readonly value: Linear;
  readonly #heads: number;

  constructor(init: Initializer, { hiddenSize, numAttentionHeads, initializerRange }: BertConfig) {
    super();
    this.query = linear(init, hiddenSize, hiddenSize, initializerRange);
    this.key = linear(init, hiddenSize, hiddenSize, initializerRange);
    this.value = linear(init, hiddenSize, hiddenSize, initializerRange);
    this.#heads = numAttentionHeads;
  }

  forward(x: Tensor, ranges: Tensor | undefined): Tensor {
    const [batch = 0, time = 0, dim = 0] = x.shape;
    const split = (states: Tensor): Tensor => states.reshape([batch, time, this.#heads, dim / this.#heads]);
    const [query, key, value] = [
      split(this.query.forward(x)),
      split(this.key.forward(x)),
      split(this.value.forward(x)),
    ];
    return attention(query, key, value, ranges === undefined ? {} : { ranges }).reshape([batch, time, dim]);
  }
}

/** What stands behind a part: a product, the residual stream, and the norm. */
class BertOutput extends Layer {
  readonly dense: Linear;
  readonly LayerNorm: LayerNorm;
  readonly #dropout: number;

  constructor(init: Initializer, inputs: number, config: BertConfig) {
    super();
    this.dense = linear(init, inputs, config.hiddenSize, config.initializerRange);
    this.LayerNorm = new LayerNorm(init, config.hiddenSize, config.layerNormEps);
    this.#dropout = config.dropout;
  }

  forward(x: Tensor, residual: Tensor, mode: Mode): Tensor {
    return this.LayerNorm.forward(dropout(this.dense.forward(x), this.#dropout, mode).add(residual));
  }
}

class BertAttention extends Layer {
  readonly self: BertSelfAttention;
  readonly output: BertOutput;

  constructor(init: Initializer, config: BertConfig) {
    super();
    this.self = new BertSelfAttention(init, config);
    this.output = new BertOutput(init, config.hiddenSize, config);
  }
}

class BertIntermediate extends Layer {
  readonly dense: Linear;
  readonly intermediateActFn: FormulaLayer;

  constructor(init: Initializer, { hiddenSize, intermediateSize, initializerRange, activation }: BertConfig) {
    super();
    this.dense = linear(init, hiddenSize, intermediateSize, initializerRange);
    this.intermediateActFn = new FormulaLayer(init, activation);
  }
}

class BertLayer extends Layer {
  readonly attention: BertAttention;
  readonly intermediate: BertIntermediate;
  readonly output: BertOutput;

  constructor(init: Initializer, config: BertConfig) {
    super();
    this.attention = new BertAttention(init, config);
    this.intermediate = new BertIntermediate(init, config);
    this.output = new BertOutput(init, config.intermediateSize, config);
  }

  forward(x: Tensor, mode: Mode, ranges: Tensor | undefined): Tensor {
    const { dense, intermediateActFn } = this.intermediate;
    return internal(() => {
      const middle = this.attention.output.forward(this.attention.self.forward(x, ranges), x, mode);
      return this.output.forward(intermediateActFn.forward(mode, dense.forward(middle)), middle, mode);
    });
  }
}

class BertEncoder extends Layer {
  readonly layer: readonly BertLayer[];

  constructor(init: Initializer, config: BertConfig) {
    super();
    this.layer = Array.from({ length: config.numHiddenLayers }, () => new BertLayer(init, config));
  }
}

class BertPooler extends Layer {
  readonly dense: Linear;
  readonly #tanh: FormulaLayer;

  constructor(init: Initializer, { hiddenSize, initializerRange }: BertConfig) {
    super();
    this.dense = linear(init, hiddenSize, hiddenSize, initializerRange);
    this.#tanh = new FormulaLayer(init, tanh);
  }

  forward(first: Tensor, mode: Mode): Tensor {
    return this.#tanh.forward(mode, this.dense.forward(first));
  }
}

class BertModel extends Layer {
  readonly embeddings: BertEmbeddings;
  readonly encoder: BertEncoder;
  readonly pooler: BertPooler | undefined;

  constructor(init: Initializer, config: BertConfig) {
    super();
    this.embeddings = new BertEmbeddings(init, config);
    this.encoder = new BertEncoder(init, config);
    this.pooler = config.pooled ? new BertPooler(init, config) : undefined;
  }
}

class BertTransform extends Layer {
  readonly dense: Linear;
  readonly transformActFn: FormulaLayer;
  readonly LayerNorm: LayerNorm;

  constructor(init: Initializer, { hiddenSize, initializerRange, activation, layerNormEps }: BertConfig) {
    super();
    this.dense = linear(init, hiddenSize, hiddenSize, initializerRange);
    this.transformActFn = new FormulaLayer(init, activation);
    this.LayerNorm = new LayerNorm(init, hiddenSize, layerNormEps);
  }
}

class BertPredictions extends Layer {
  readonly transform: BertTransform;
  readonly bias: Tensor;

  constructor(init: Initializer, config: BertConfig) {
    super();
    this.transform = new BertTransform(init, config);
    this.bias = init.constant([config.vocabSize], 0);
  }

  forward(vectors: Tensor, words: Tensor, mode: Mode): Tensor {
    const { dense, transformActFn, LayerNorm } = this.transform;
    const turned = LayerNorm.forward(transformActFn.forward(mode, dense.forward(vectors)));
    return turned.matmul(words.transpose(0, 1)).add(this.bias);
  }
}

class BertWordsHead extends Layer {
  readonly predictions: BertPredictions;

  constructor(init: Initializer, config: BertConfig) {
    super();
    this.predictions = new BertPredictions(init, config);
  }
}

export class Bert extends Layer implements Encoder {
  readonly bert: BertModel;
  readonly cls: BertWordsHead | undefined;
  readonly classifier: Linear | undefined;
  readonly #config: BertConfig;

  constructor(init: Initializer, config: BertConfig) {
    super();
    checkOptions('Bert', config, bertConfig({ vocabSize: 1, dim: 1, layers: 1, heads: 1, context: 1 }));
    const { head, hiddenSize, labels, initializerRange } = config;
    this.#config = config;
    this.bert = new BertModel(init, config);
    this.cls = head === 'words' ? new BertWordsHead(init, config) : undefined;
    const isClassifier = head === 'texts' || head === 'tokens';
    this.classifier = isClassifier ? linear(init, hiddenSize, labels.length, initializerRange) : undefined;
  }

  get config(): BertConfig {
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

  encode(tokens: Tensor, mode: Mode, inputs: EncoderInputs = {}): Tensor {
    requireAxes('a BERT', { batch: undefined, time: undefined }, tokens);
    const [batch = 0, time = 0] = tokens.shape;
    requirePositions('this BERT', time, this.maxPositions);
    return internal(() => {
      const ranges = visibleRanges(tokens.device, { batch, time, spans: inputs.spans });
      let x = this.bert.embeddings.forward(tokens, mode, inputs);
      for (const layer of this.bert.encoder.layer) x = layer.forward(x, mode, ranges);
      return x;
    });
  }

  /** The pooled first token of each text, [batch, hiddenSize], of all vectors; undefined without a pooler. */
  pool(vectors: Tensor, mode: Mode, { spans }: EncoderInputs = {}): Tensor | undefined {
    return internal(() => this.bert.pooler?.forward(firstVectors(vectors, spans), mode));
  }

  logits(vectors: Tensor, mode: Mode, inputs: EncoderInputs = {}): Tensor {
    const { cls, classifier } = this;
    return internal(() => {
      if (cls !== undefined) return cls.predictions.forward(vectors, this.bert.embeddings.wordEmbeddings.weight, mode);
      if (classifier === undefined) throw noHead('this BERT');
      const said = this.pool(vectors, mode, inputs) ?? vectors;
      return classifier.forward(dropout(said, this.#config.dropout, mode));
    });
  }
}

/**
 * A new BERT with random weights that depend on the seed (0 by default) alone.
 * @example const model = bert(device, { vocabSize: 2048, dim: 128, layers: 2, heads: 2, context: 128, head: 'words' });
 */
export function bert(device: Device, options: EncoderOptions<Activation> & { readonly seed?: number }): Bert {
  checkOptions('bert', options, { ...encoderDefaults<Activation>(gelu), seed: 0 });
  const { seed = 0, ...shape } = options;
  return new Bert(new Initializer(device, seed), bertConfig(shape));
}
