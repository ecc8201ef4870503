/** config.json of a LLaMA, and of an Arcee, whose block is plain. */
import type { LlamaConfig } from '../../models/llama.js';
import { readAct, writtenAct } from './activation-names.js';
import type { ConfigCodec } from './config-codec.js';
import { countOf, flagOf, numberOf } from './config-values.js';
import { ropeTheta } from './rope.js';

export const llamaCodec: ConfigCodec<LlamaConfig> = {
  types: ['llama', 'arcee'],

  encode(config, endOfText) {
    const isGated = config.feedForward.kind === 'gate';
    return {
      architectures: [isGated ? 'LlamaForCausalLM' : 'ArceeForCausalLM'],
      model_type: isGated ? 'llama' : 'arcee',
      vocab_size: config.vocabSize,
      hidden_size: config.hiddenSize,
      intermediate_size: config.intermediateSize,
      num_hidden_layers: config.numHiddenLayers,
      num_attention_heads: config.numAttentionHeads,
      num_key_value_heads: config.numKeyValueHeads,
      head_dim: config.headDim,
      hidden_act: writtenAct(config.feedForward),
      max_position_embeddings: config.maxPositionEmbeddings,
      initializer_range: config.initializerRange,
      rms_norm_eps: config.rmsNormEps,
      rope_theta: config.ropeTheta,
      attention_bias: config.attentionBias,
      mlp_bias: config.mlpBias,
      tie_word_embeddings: config.tieWordEmbeddings,
      bos_token_id: null,
      eos_token_id: endOfText ?? null,
      dtype: 'float32',
      torch_dtype: 'float32',
    };
  },

  decode(json, stored) {
    const isGated = json['model_type'] === 'llama';
    const hiddenSize = countOf(json, 'hidden_size');
    const numAttentionHeads = countOf(json, 'num_attention_heads');
    const act = String(json['hidden_act'] ?? (isGated ? 'silu' : 'relu2'));
    return {
      vocabSize: countOf(json, 'vocab_size'),
      hiddenSize,
      intermediateSize: countOf(json, 'intermediate_size'),
      numHiddenLayers: countOf(json, 'num_hidden_layers'),
      numAttentionHeads,
      numKeyValueHeads: countOf(json, 'num_key_value_heads', numAttentionHeads),
      headDim: countOf(json, 'head_dim', hiddenSize / numAttentionHeads),
      maxPositionEmbeddings: countOf(json, 'max_position_embeddings', isGated ? 2048 : 4096),
      rmsNormEps: numberOf(json, 'rms_norm_eps', isGated ? 1e-6 : 1e-5),
      ropeTheta: ropeTheta(json),
      tieWordEmbeddings: flagOf(json, 'tie_word_embeddings'),
      attentionBias: flagOf(json, 'attention_bias'),
      mlpBias: flagOf(json, 'mlp_bias'),
      initializerRange: numberOf(json, 'initializer_range', 0.02),
      feedForward: readAct(act, isGated ? 'gate' : 'activation', stored),
      dropout: 0,
    };
  },
};
