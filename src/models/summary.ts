import type { BlockFormula } from '../layers/feed-forward.js';
import type { LlamaConfig } from './llama.js';

/** What a model costs, before it is built. */
export interface ModelSummary {
  readonly parameters: number;
  /** Without the embedding, which costs memory but no products. */
  readonly productParameters: number;
  /** Of training: forward and backward, attention's causal half counted once. */
  readonly trainingFlopsPerToken: number;
  readonly generationFlopsPerToken: number;
}

/** The sizes of a decoder that decide what it costs. */
export interface DecoderShape {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly tieWordEmbeddings: boolean;
  readonly feedForward: BlockFormula;
  readonly dropout: number;
  /** Numbers learned beside matrices of products, embedding and head: norms, biases, positions. */
  readonly vectors: number;
  /** Attention's weights are dropped, and therefore held: heads x context of each token. */
  readonly holdsWeights?: boolean;
}

/** Counts from the shapes alone. FLOPs: 6 per parameter and token, and 6 per score of attention and channel. */
export function summarizeDecoder(shape: DecoderShape, context = shape.maxPositionEmbeddings): ModelSummary {
  const { hiddenSize, intermediateSize, numHiddenLayers, headDim, vocabSize, feedForward } = shape;
  const queries = shape.numAttentionHeads * headDim;
  const keys = shape.numKeyValueHeads * headDim;
  const attention = 2 * hiddenSize * queries + 2 * hiddenSize * keys;
  const block = (feedForward.kind === 'gate' ? 3 : 2) * hiddenSize * intermediateSize;
  const products = numHiddenLayers * (attention + block) + vocabSize * hiddenSize;
  const learned = numHiddenLayers * feedForward.learned.length;
  const embedding = shape.tieWordEmbeddings ? 0 : vocabSize * hiddenSize;
  const scores = numHiddenLayers * queries * context; // two products over half of context x context
  return {
    parameters: products + shape.vectors + learned + embedding,
    productParameters: products,
    trainingFlopsPerToken: 6 * products + 6 * scores,
    generationFlopsPerToken: 2 * products + 2 * scores,
  };
}

/** The most memory that products pack their operands into. */
const workspaceBytes = 16 * 2 ** 20;

/**
 * Bytes that a training step holds: weights, gradients, two moments, and what the backward pass needs. Gradients of
 * activations take the place of the activations, but for those of one layer's attention.
 */
export function decoderTrainingBytes(shape: DecoderShape, tokens: number): number {
  const { hiddenSize, intermediateSize, numHiddenLayers, headDim, vocabSize, feedForward, dropout } = shape;
  const { numAttentionHeads: heads, maxPositionEmbeddings: context } = shape;
  const queries = heads * headDim;
  const projected = queries + 2 * shape.numKeyValueHeads * headDim;
  const block = (feedForward.kind === 'activation' ? 2 : 3) * intermediateSize;
  // Of each dropout its noise and its result.
  const dropped = dropout > 0 ? 2 * hiddenSize : 0;
  // Scores, their softmax, and what is left of it.
  const weights = shape.holdsWeights === true ? 4 * heads * context : 0;
  const layer = 4 * hiddenSize + projected + queries + block + heads + 2 + 2 * dropped + weights;
  const token = numHiddenLayers * layer + 4 * hiddenSize + dropped + projected + vocabSize;
  const activations = 4 * tokens * token;
  return 16 * summarizeDecoder(shape).parameters + activations + Math.min(activations, workspaceBytes);
}

/** Norms, and biases where there are any. */
export function llamaShape(config: LlamaConfig): DecoderShape {
  const { hiddenSize, intermediateSize, numHiddenLayers, headDim, feedForward } = config;
  const queries = config.numAttentionHeads * headDim;
  const attention = queries + 2 * config.numKeyValueHeads * headDim + hiddenSize;
  const block = (feedForward.kind === 'gate' ? 2 : 1) * intermediateSize + hiddenSize;
  const biases = (config.attentionBias ? attention : 0) + (config.mlpBias ? block : 0);
  // A block with a row function has a LayerNorm inside.
  const blockNorm = feedForward.kind === 'row' ? 2 * intermediateSize : 0;
  return { ...config, vectors: numHiddenLayers * (biases + blockNorm + 2 * hiddenSize) + hiddenSize };
}

/** What a LLaMA costs. */
export const summarize = (config: LlamaConfig, context = config.maxPositionEmbeddings): ModelSummary =>
  summarizeDecoder(llamaShape(config), context);

/** Bytes that a training step of a LLaMA holds. */
export const trainingBytes = (config: LlamaConfig, batch: number, context: number): number =>
  decoderTrainingBytes(llamaShape(config), batch * context);
