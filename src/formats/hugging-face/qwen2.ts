/** config.json of a Qwen2. */
import type { Gate } from '../../activations/kinds.js';
import { SluiceError } from '../../base/errors.js';
import type { Qwen2Config } from '../../models/qwen2.js';
import { decodeBlock, encodeBlock } from './carrier.js';
import type { ConfigCodec } from './config-codec.js';
import { flagOf, type Json } from './config-values.js';
import { decodeDecoder, encodeDecoder } from './decoder.js';

export const qwen2Codec: ConfigCodec<Qwen2Config> = {
  types: ['qwen2'],

  encode: (config, endOfText) => ({
    architectures: ['Qwen2ForCausalLM'],
    model_type: 'qwen2',
    ...encodeBlock(config.feedForward, 'qwen2'),
    use_sliding_window: false,
    ...encodeDecoder(config, endOfText),
  }),

  decode(json, stored) {
    refuseWindows(json);
    return {
      ...decodeDecoder(json, { positions: 32_768, rmsNormEps: 1e-6 }),
      feedForward: decodeBlock(json, 'qwen2', stored) as Gate,
    };
  },
};

/** @throws SluiceError `format` for layers that see a part of the text alone. */
function refuseWindows(json: Json): void {
  const types = json['layer_types'];
  const windowed = Array.isArray(types) ? types.find((type) => type !== 'full_attention') : undefined;
  if (windowed === undefined && !flagOf(json, 'use_sliding_window')) return;
  throw new SluiceError('format', {
    rule: 'every layer of a Qwen2 sees the whole text here: use_sliding_window is false, layer_types full_attention',
    received: windowed ?? true,
    remedy: 'Without its windows the model would compute something else: choose one that has none.',
  });
}
