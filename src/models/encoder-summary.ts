import type { BertConfig } from './bert.js';
import type { ModernBertConfig } from './modernbert.js';
import type { ModelSummary } from './summary.js';

/** The share of tokens that a head for hidden words says something of while it is trained. */
const usualShare = 0.15;

interface Counts {
  /** Of the products of all layers. */
  readonly products: number;
  /** Everything else that is learned but the head. */
  readonly others: number;
  readonly head: number;
  readonly words: number;
}

const bertCounts = (config: BertConfig): Counts => {
  const { hiddenSize: d, intermediateSize: hidden, numHiddenLayers: layers, vocabSize, head } = config;
  const embeddings = (vocabSize + config.maxPositionEmbeddings + config.typeVocabSize + 2) * d;
  const biases = layers * (4 * d + hidden + d + 4 * d + config.activation.learned.length);
  const pooler = config.pooled ? d * d + d : 0;
  const transform = d * d + 3 * d + config.activation.learned.length;
  const classifier = (d + 1) * config.labels.length;
  return {
    products: layers * (4 * d * d + 2 * d * hidden),
    others: embeddings + biases + pooler,
    head: head === 'words' ? transform + vocabSize : head === 'none' ? 0 : classifier,
    words: vocabSize * d,
  };
};

const modernBertCounts = (config: ModernBertConfig): Counts => {
  const { hiddenSize: d, intermediateSize: hidden, numHiddenLayers: layers, vocabSize, head } = config;
  const norm = config.normBias ? 2 * d : d;
  const biases = layers * ((config.attentionBias ? 4 * d : 0) + (config.mlpBias ? 2 * hidden + d : 0));
  const transform = d * d + (config.classifierBias ? d : 0) + norm + config.classifierActivation.learned.length;
  const own = head === 'words' ? (config.decoderBias ? vocabSize : 0) : (d + 1) * config.labels.length;
  return {
    products: layers * (4 * d * d + 3 * d * hidden),
    others: vocabSize * d + (2 * layers + 1) * norm + biases + layers * config.gate.learned.length,
    head: head === 'none' ? 0 : transform + own,
    words: vocabSize * d,
  };
};

const countsOf = (config: BertConfig | ModernBertConfig): Counts =>
  'gate' in config ? modernBertCounts(config) : bertCounts(config);

/** The keys that a token of a full text sees, in all layers: local ones look but a window to either side. */
function keysSeen(config: BertConfig | ModernBertConfig): number {
  const { numHiddenLayers: layers, maxPositionEmbeddings: positions } = config;
  if (!('gate' in config)) return layers * positions;
  const window = Math.min(positions, config.localAttention + 1);
  return config.localLayers.reduce((sum, isLocal) => sum + (isLocal ? window : positions), 0);
}

/** What an encoder costs, counted from its shapes alone. Of a head for hidden words those chosen count. */
export function summarizeEncoder(config: BertConfig | ModernBertConfig): ModelSummary {
  const { products, others, head, words } = countsOf(config);
  const said = config.head === 'words' ? usualShare * (words + config.hiddenSize ** 2) : 0;
  const scores = 2 * config.hiddenSize * keysSeen(config);
  return {
    parameters: products + others + head,
    productParameters: products + (config.head === 'words' ? words : 0),
    trainingFlopsPerToken: 6 * (products + said + scores),
    generationFlopsPerToken: 2 * (products + said + scores),
  };
}

/** Bytes that a training step over so many tokens holds: weights, gradients, two moments, and what goes back through all layers. */
export function encoderTrainingBytes(config: BertConfig | ModernBertConfig, tokens: number): number {
  const { hiddenSize: d, intermediateSize: hidden, numHiddenLayers: layers, numAttentionHeads, vocabSize } = config;
  const blocks = 'gate' in config ? 3 * hidden : 2 * hidden;
  const dropped = config.dropout > 0 ? 4 * d : 0;
  const said = config.head === 'words' ? usualShare * (2 * vocabSize + 4 * d) : 0;
  const token = layers * (12 * d + blocks + numAttentionHeads + dropped) + 6 * d + said;
  return 16 * summarizeEncoder(config).parameters + 4 * tokens * token;
}
