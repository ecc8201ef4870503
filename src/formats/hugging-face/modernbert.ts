/** config.json of a ModernBERT, whatever head stands on it. */
import { find } from '../../activations/catalogue.js';
import type { Gate } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import { checkChoice } from '../../base/options.js';
import type { ModernBertConfig } from '../../models/modernbert.js';
import { hiddenAct } from './activation-names.js';
import { decodeBlock, encodeBlock } from './carrier.js';
import type { ConfigCodec } from './config-codec.js';
import { countOf, flagOf, type Json, numberOf, recordOf } from './config-values.js';
import { architecture, encodeLabels, headOf, labelsOf, requirePlain } from './encoder-values.js';
import { decodeRope } from './rope.js';

const attentions = ['full_attention', 'sliding_attention'] as const;

export const modernBertCodec: ConfigCodec<ModernBertConfig> = {
  types: ['modernbert'],

  encode(config) {
    const rope = (theta: number) => ({ rope_type: 'default', rope_theta: theta });
    return {
      architectures: [architecture('ModernBert', config.head)],
      model_type: 'modernbert',
      vocab_size: config.vocabSize,
      hidden_size: config.hiddenSize,
      intermediate_size: config.intermediateSize,
      num_hidden_layers: config.numHiddenLayers,
      num_attention_heads: config.numAttentionHeads,
      ...encodeBlock(config.gate, 'modernbert'),
      max_position_embeddings: config.maxPositionEmbeddings,
      layer_types: config.localLayers.map((isLocal) => attentions[isLocal ? 1 : 0]),
      local_attention: config.localAttention,
      rope_parameters: {
        full_attention: rope(config.globalRopeTheta),
        sliding_attention: rope(config.localRopeTheta),
      },
      global_rope_theta: config.globalRopeTheta,
      local_rope_theta: config.localRopeTheta,
      norm_eps: config.normEps,
      norm_bias: config.normBias,
      attention_bias: config.attentionBias,
      mlp_bias: config.mlpBias,
      decoder_bias: config.decoderBias,
      classifier_bias: config.classifierBias,
      classifier_pooling: config.classifierPooling,
      classifier_activation: hiddenAct(config.classifierActivation) ?? `sluice:${config.classifierActivation.name}`,
      initializer_range: config.initializerRange,
      attention_dropout: 0,
      embedding_dropout: config.dropout,
      mlp_dropout: config.dropout,
      classifier_dropout: config.dropout,
      tie_word_embeddings: true,
      ...{ bos_token_id: null, eos_token_id: null, cls_token_id: null, sep_token_id: null, pad_token_id: null },
      ...encodeLabels(config.labels),
      dtype: 'float32',
      torch_dtype: 'float32',
    };
  },

  decode(json, stored) {
    const head = headOf(json);
    if (head === 'words') requirePlain(json, { tie_word_embeddings: true });
    const numHiddenLayers = countOf(json, 'num_hidden_layers', 22);
    const classifierPooling = String(json['classifier_pooling'] ?? 'cls');
    checkChoice('classifier_pooling in config.json', classifierPooling, ['cls', 'mean']);
    return {
      vocabSize: countOf(json, 'vocab_size', 50_368),
      hiddenSize: countOf(json, 'hidden_size', 768),
      intermediateSize: countOf(json, 'intermediate_size', 1152),
      numHiddenLayers,
      numAttentionHeads: countOf(json, 'num_attention_heads', 12),
      maxPositionEmbeddings: countOf(json, 'max_position_embeddings', 8192),
      localLayers: localLayers(json, numHiddenLayers),
      localAttention: countOf(json, 'local_attention', 128),
      globalRopeTheta: thetaOf(json, 'full_attention', 'global_rope_theta', 160_000),
      localRopeTheta: thetaOf(json, 'sliding_attention', 'local_rope_theta', 10_000),
      normEps: numberOf(json, 'norm_eps', 1e-5),
      normBias: flagOf(json, 'norm_bias'),
      attentionBias: flagOf(json, 'attention_bias'),
      mlpBias: flagOf(json, 'mlp_bias'),
      decoderBias: flagOf(json, 'decoder_bias', true),
      classifierBias: flagOf(json, 'classifier_bias'),
      classifierPooling: classifierPooling as 'cls' | 'mean',
      classifierActivation: find(String(json['classifier_activation'] ?? 'gelu'), 'activation'),
      initializerRange: numberOf(json, 'initializer_range', 0.02),
      gate: decodeBlock(json, 'modernbert', stored) as Gate,
      dropout: numberOf(json, 'mlp_dropout', 0),
      head,
      labels: labelsOf(json, head),
    };
  },
};

function localLayers(json: Json, layers: number): boolean[] {
  const types: unknown = json['layer_types'];
  if (types === undefined || types === null) {
    const every = countOf(json, 'global_attn_every_n_layers', 3);
    return Array.from({ length: layers }, (_, i) => i % every !== 0);
  }
  if (Array.isArray(types) && types.length === layers && types.every((type) => attentions.includes(type))) {
    return types.map((type) => type === 'sliding_attention');
  }
  throw new SluiceError('format', {
    rule: `layer_types in config.json has ${attentions.join(' or ')} for each of ${layers} layers`,
    received: types,
    remedy: 'Correct it, or leave it out.',
  });
}

/** Version 5 of Transformers keeps the bases in rope_parameters, older ones at the top. */
function thetaOf(json: Json, type: (typeof attentions)[number], old: string, usual: number): number {
  const part = recordOf(recordOf(json, 'rope_parameters'), type);
  const { ropeTheta, ropeScaling } = decodeRope({ rope_theta: numberOf(json, old, usual), rope_parameters: part }, 1);
  if (ropeScaling === undefined) return ropeTheta;
  throw new SluiceError('format', {
    rule: `the rotary positions of a ModernBERT are not scaled here: rope_parameters.${type}`,
    received: ropeScaling.type,
    remedy: 'Without its scaling the model would compute something else: choose one that has none.',
  });
}
