/** config.json of a GPT-2. */
import type { Activation } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import type { Gpt2Config } from '../../models/gpt2.js';
import { decodeBlock, encodeBlock } from './carrier.js';
import type { ConfigCodec } from './config-codec.js';
import { countOf, flagOf, type Json, numberOf } from './config-values.js';

export const gpt2Codec: ConfigCodec<Gpt2Config> = {
  types: ['gpt2'],

  encode: (config, endOfText) => ({
    architectures: ['GPT2LMHeadModel'],
    model_type: 'gpt2',
    vocab_size: config.vocabSize,
    n_positions: config.positions,
    n_embd: config.dim,
    n_layer: config.layers,
    n_head: config.heads,
    n_inner: config.hidden,
    ...encodeBlock(config.activation, 'gpt2'),
    embd_pdrop: config.embeddingDropout,
    resid_pdrop: config.residualDropout,
    attn_pdrop: config.attentionDropout,
    layer_norm_epsilon: config.layerNormEpsilon,
    initializer_range: config.initializerRange,
    scale_attn_weights: config.scaleAttention,
    scale_attn_by_inverse_layer_idx: config.scaleAttentionByLayer,
    reorder_and_upcast_attn: false,
    tie_word_embeddings: config.tieWordEmbeddings,
    bos_token_id: endOfText ?? null,
    eos_token_id: endOfText ?? null,
    dtype: 'float32',
    torch_dtype: 'float32',
  }),

  decode(json, stored) {
    if (flagOf(json, 'add_cross_attention')) {
      throw new SluiceError('format', {
        rule: 'a GPT-2 has no attention to an encoder here: add_cross_attention is false',
        received: true,
        remedy: 'Choose a GPT-2 that stands alone.',
      });
    }
    const [dim, heads] = [countOf(json, 'n_embd'), countOf(json, 'n_head')];
    if (dim % heads !== 0) {
      const remedy = 'Fetch config.json anew, or give it what the weights have.';
      throw new SluiceError('format', { rule: `n_head in config.json divides n_embd ${dim}`, received: heads, remedy });
    }
    return {
      vocabSize: countOf(json, 'vocab_size', 50_257),
      positions: countOf(json, 'n_positions', 1024),
      ...{ dim, heads },
      layers: countOf(json, 'n_layer'),
      hidden: countOf(json, 'n_inner', 4 * dim),
      activation: decodeBlock(json, 'gpt2', stored) as Activation,
      embeddingDropout: shareOf(json, 'embd_pdrop'),
      residualDropout: shareOf(json, 'resid_pdrop'),
      attentionDropout: shareOf(json, 'attn_pdrop'),
      layerNormEpsilon: numberOf(json, 'layer_norm_epsilon', 1e-5),
      initializerRange: numberOf(json, 'initializer_range', 0.02),
      scaleAttention: flagOf(json, 'scale_attn_weights', true),
      scaleAttentionByLayer: flagOf(json, 'scale_attn_by_inverse_layer_idx'),
      tieWordEmbeddings: flagOf(json, 'tie_word_embeddings', true),
    };
  },
};

function shareOf(json: Json, key: string): number {
  const share = numberOf(json, key, 0.1);
  if (share < 1) return share;
  const remedy = 'Correct it, or leave it out for 0.1.';
  throw new SluiceError('format', { rule: `${key} in config.json is below 1`, received: share, remedy });
}
