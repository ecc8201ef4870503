import type { Activation } from '../../activations/kinds.js';
import { carrierOf } from '../../formats/hugging-face/carrier.js';
import { decodeWith } from '../../formats/hugging-face/config-codec.js';
import { gpt2Codec } from '../../formats/hugging-face/gpt2.js';
import { Initializer } from '../../layers/initialization.js';
import { Gpt2, type Gpt2Config, gpt2Config, gpt2Shape } from '../../models/gpt2.js';
import { feedForwardOf } from '../model.js';
import { completeDecoder } from '../presets.js';
import type { CausalDesign, CausalModelType } from './causal-model-type.js';
import { decoderDesign } from './decoder-design.js';

export const gpt2Type: CausalModelType = {
  modelTypes: ['gpt2'],
  settings: ['heads', 'hidden', 'ffn', 'activation', 'param'],
  complete(given) {
    const { ffn = 'mlp', activation = ffn === 'mlp' ? 'geluTanh' : undefined } = given;
    return completeDecoder({ ...given, ffn, ...(activation === undefined ? {} : { activation }) }, ffn);
  },
  design(settings, vocabSize) {
    const { dim, layers, heads, context, hidden, dropout } = settings;
    const feedForward = feedForwardOf(settings);
    carrierOf(feedForward, 'gpt2');
    const activation = feedForward as Activation;
    return designOf(gpt2Config({ vocabSize, dim, layers, heads, context, hidden, dropout, activation }));
  },
  decode: (config, formula) => designOf(decodeWith(gpt2Codec, config, formula)),
  read: (config) => designOf(decodeWith(gpt2Codec, config)),
};

const designOf = (config: Gpt2Config): CausalDesign => ({
  ...decoderDesign('GPT-2', gpt2Shape(config), carrierOf(config.activation, 'gpt2')),
  build: (device, seed) => new Gpt2(new Initializer(device, seed), config),
  encode: (endOfText) => gpt2Codec.encode(config, endOfText),
});
