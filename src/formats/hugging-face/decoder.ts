/** What config.json says of LLaMA and the decoders that followed it, whatever their type. */
import type { DecoderConfig } from '../../models/decoder-config.js';
import { countOf, flagOf, type Json, numberOf } from './config-values.js';
import { decodeRope, encodeRope } from './rope.js';

/** What is meant where config.json leaves it out. */
export interface DecoderFallbacks {
  readonly positions: number;
  readonly rmsNormEps: number;
  readonly headDim?: number;
  readonly tieWordEmbeddings?: boolean;
}

export function decodeDecoder(json: Json, fallbacks: DecoderFallbacks): DecoderConfig {
  const hiddenSize = countOf(json, 'hidden_size');
  const numAttentionHeads = countOf(json, 'num_attention_heads');
  const maxPositionEmbeddings = countOf(json, 'max_position_embeddings', fallbacks.positions);
  return {
    vocabSize: countOf(json, 'vocab_size'),
    hiddenSize,
    intermediateSize: countOf(json, 'intermediate_size'),
    numHiddenLayers: countOf(json, 'num_hidden_layers'),
    numAttentionHeads,
    numKeyValueHeads: countOf(json, 'num_key_value_heads', numAttentionHeads),
    headDim: countOf(json, 'head_dim', fallbacks.headDim ?? hiddenSize / numAttentionHeads),
    maxPositionEmbeddings,
    rmsNormEps: numberOf(json, 'rms_norm_eps', fallbacks.rmsNormEps),
    ...decodeRope(json, maxPositionEmbeddings),
    tieWordEmbeddings: flagOf(json, 'tie_word_embeddings', fallbacks.tieWordEmbeddings),
    initializerRange: numberOf(json, 'initializer_range', 0.02),
    dropout: 0,
  };
}

/** All keys but those of a type's own. */
export const encodeDecoder = (config: DecoderConfig, endOfText?: number): Record<string, unknown> => ({
  vocab_size: config.vocabSize,
  hidden_size: config.hiddenSize,
  intermediate_size: config.intermediateSize,
  num_hidden_layers: config.numHiddenLayers,
  num_attention_heads: config.numAttentionHeads,
  num_key_value_heads: config.numKeyValueHeads,
  head_dim: config.headDim,
  max_position_embeddings: config.maxPositionEmbeddings,
  initializer_range: config.initializerRange,
  rms_norm_eps: config.rmsNormEps,
  ...encodeRope(config),
  tie_word_embeddings: config.tieWordEmbeddings,
  bos_token_id: null,
  eos_token_id: endOfText ?? null,
  dtype: 'float32',
  torch_dtype: 'float32',
});
