/** config.json of a BERT, whatever head stands on it. */
import type { Activation } from '../../activations/kinds.js';
import type { BertConfig } from '../../models/bert.js';
import { decodeBlock, encodeBlock } from './carrier.js';
import type { ConfigCodec } from './config-codec.js';
import { countOf, flagOf, numberOf } from './config-values.js';
import { architecture, encodeLabels, headOf, labelsOf, requirePlain } from './encoder-values.js';

export const bertCodec: ConfigCodec<BertConfig> = {
  types: ['bert'],

  encode(config) {
    return {
      architectures: [architecture('Bert', config.head)],
      model_type: 'bert',
      vocab_size: config.vocabSize,
      hidden_size: config.hiddenSize,
      intermediate_size: config.intermediateSize,
      num_hidden_layers: config.numHiddenLayers,
      num_attention_heads: config.numAttentionHeads,
      ...encodeBlock(config.activation, 'bert'),
      max_position_embeddings: config.maxPositionEmbeddings,
      type_vocab_size: config.typeVocabSize,
      initializer_range: config.initializerRange,
      layer_norm_eps: config.layerNormEps,
      hidden_dropout_prob: config.dropout,
      attention_probs_dropout_prob: 0,
      position_embedding_type: 'absolute',
      tie_word_embeddings: true,
      pad_token_id: null,
      ...encodeLabels(config.labels),
      dtype: 'float32',
      torch_dtype: 'float32',
    };
  },

  decode(json, stored) {
    requirePlain(json, { position_embedding_type: 'absolute', is_decoder: false, add_cross_attention: false });
    const head = headOf(json);
    if (head === 'words') requirePlain(json, { tie_word_embeddings: true });
    return {
      vocabSize: countOf(json, 'vocab_size', 30_522),
      hiddenSize: countOf(json, 'hidden_size', 768),
      intermediateSize: countOf(json, 'intermediate_size', 3072),
      numHiddenLayers: countOf(json, 'num_hidden_layers', 12),
      numAttentionHeads: countOf(json, 'num_attention_heads', 12),
      maxPositionEmbeddings: countOf(json, 'max_position_embeddings', 512),
      typeVocabSize: countOf(json, 'type_vocab_size', 2),
      layerNormEps: numberOf(json, 'layer_norm_eps', 1e-12),
      initializerRange: numberOf(json, 'initializer_range', 0.02),
      activation: decodeBlock(json, 'bert', stored) as Activation,
      dropout: numberOf(json, 'hidden_dropout_prob', 0.1),
      head,
      // What Transformers is told in code; openEncoder says it of weights that have none.
      pooled: head === 'texts' || (head === 'none' && flagOf(json, 'add_pooling_layer', true)),
      labels: labelsOf(json, head),
    };
  },
};
