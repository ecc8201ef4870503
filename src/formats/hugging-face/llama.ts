/** config.json of a LLaMA, and of an Arcee, whose block is plain. */
import type { LlamaConfig } from '../../models/llama.js';
import { carrierOf, decodeBlock, encodeBlock } from './carrier.js';
import type { ConfigCodec } from './config-codec.js';
import { flagOf } from './config-values.js';
import { decodeDecoder, encodeDecoder } from './decoder.js';

export const llamaCodec: ConfigCodec<LlamaConfig> = {
  types: ['llama', 'arcee'],

  encode(config, endOfText) {
    const { type } = carrierOf(config.feedForward);
    return {
      architectures: [type === 'llama' ? 'LlamaForCausalLM' : 'ArceeForCausalLM'],
      model_type: type,
      ...encodeBlock(config.feedForward, type),
      attention_bias: config.attentionBias,
      mlp_bias: config.mlpBias,
      ...encodeDecoder(config, endOfText),
    };
  },

  decode(json, stored) {
    const type = json['model_type'] === 'llama' ? 'llama' : 'arcee';
    const fallbacks = type === 'llama' ? { positions: 2048, rmsNormEps: 1e-6 } : { positions: 4096, rmsNormEps: 1e-5 };
    return {
      ...decodeDecoder(json, fallbacks),
      attentionBias: flagOf(json, 'attention_bias'),
      mlpBias: flagOf(json, 'mlp_bias'),
      feedForward: decodeBlock(json, type, stored),
    };
  },
};
