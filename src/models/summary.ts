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

/** Counts from the shapes alone. FLOPs: 6 per parameter and token, and 6 per score of attention and channel. */
export function summarize(config: LlamaConfig, context = config.maxPositionEmbeddings): ModelSummary {
  const { hiddenSize, intermediateSize, numHiddenLayers, headDim, vocabSize } = config;
  const queries = config.numAttentionHeads * headDim;
  const keys = config.numKeyValueHeads * headDim;
  const attention = 2 * hiddenSize * queries + 2 * hiddenSize * keys;
  const block = (config.feedForward.kind === 'gate' ? 3 : 2) * hiddenSize * intermediateSize;
  const products = numHiddenLayers * (attention + block) + vocabSize * hiddenSize;
  const blockBias = (config.feedForward.kind === 'gate' ? 2 : 1) * intermediateSize + hiddenSize;
  const attentionBias = queries + 2 * keys + hiddenSize;
  const biases = numHiddenLayers * ((config.attentionBias ? attentionBias : 0) + (config.mlpBias ? blockBias : 0));
  // A block with a row function has a LayerNorm inside.
  const blockNorm = config.feedForward.kind === 'row' ? 2 * intermediateSize : 0;
  const norms = (2 * numHiddenLayers + 1) * hiddenSize + numHiddenLayers * blockNorm;
  const learned = numHiddenLayers * config.feedForward.learned.length;
  const embedding = config.tieWordEmbeddings ? 0 : vocabSize * hiddenSize;
  const scores = numHiddenLayers * queries * context; // two products over half of context x context
  return {
    parameters: products + biases + norms + learned + embedding,
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
export function trainingBytes(config: LlamaConfig, batch: number, context: number): number {
  const { hiddenSize, intermediateSize, numHiddenLayers, headDim, vocabSize, feedForward, dropout } = config;
  const queries = config.numAttentionHeads * headDim;
  const projected = queries + 2 * config.numKeyValueHeads * headDim;
  const block = (feedForward.kind === 'activation' ? 2 : 3) * intermediateSize;
  // Of each dropout its noise and its result.
  const dropped = dropout > 0 ? 2 * hiddenSize : 0;
  const layer = 4 * hiddenSize + projected + queries + block + config.numAttentionHeads + 2 + 2 * dropped;
  const token = numHiddenLayers * layer + 4 * hiddenSize + dropped + projected + vocabSize;
  const activations = 4 * batch * context * token;
  return 16 * summarize(config).parameters + activations + Math.min(activations, workspaceBytes);
}
