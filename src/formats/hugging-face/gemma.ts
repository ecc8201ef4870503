/** config.json of a Gemma. */
import type { Gate } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import type { GemmaConfig } from '../../models/gemma.js';
import { decodeBlock, encodeBlock } from './carrier.js';
import type { ConfigCodec } from './config-codec.js';
import { flagOf } from './config-values.js';
import { decodeDecoder, encodeDecoder } from './decoder.js';

const fallbacks = { positions: 8192, rmsNormEps: 1e-6, headDim: 256, tieWordEmbeddings: true };

export const gemmaCodec: ConfigCodec<GemmaConfig> = {
  types: ['gemma'],

  encode: (config, endOfText) => ({
    architectures: ['GemmaForCausalLM'],
    model_type: 'gemma',
    ...encodeBlock(config.feedForward, 'gemma'),
    attention_bias: config.attentionBias,
    ...encodeDecoder(config, endOfText),
    // Transformers' default, 0, would be a padding token in the embedding.
    pad_token_id: null,
  }),

  decode(json, stored) {
    if (flagOf(json, 'use_bidirectional_attention')) {
      throw new SluiceError('format', {
        rule: 'a Gemma sees the tokens before its own alone: use_bidirectional_attention is false',
        received: true,
        remedy: 'It is an encoder: choose a Gemma that writes.',
      });
    }
    return {
      ...decodeDecoder(json, fallbacks),
      attentionBias: flagOf(json, 'attention_bias'),
      feedForward: decodeBlock(json, 'gemma', stored) as Gate,
    };
  },
};
