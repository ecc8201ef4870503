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
  const norms = (2 * numHiddenLayers + 1) * hiddenSize;
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

/** Bytes that a training step holds: weights, gradients, two moments, and what the backward pass needs. */
export function trainingBytes(config: LlamaConfig, batch: number, context: number): number {
  const { hiddenSize, intermediateSize, numHiddenLayers, headDim, vocabSize } = config;
  const tokens = batch * context;
  const heads = (config.numAttentionHeads + 2 * config.numKeyValueHeads) * headDim;
  const layer = 8 * hiddenSize + 4 * heads + 6 * intermediateSize;
  const activations = tokens * (numHiddenLayers * layer + 4 * hiddenSize + 2 * vocabSize);
  return 4 * (4 * summarize(config).parameters + activations);
}
