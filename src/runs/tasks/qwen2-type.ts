import { carrierOf } from '../../formats/hugging-face/carrier.js';
import { decodeWith } from '../../formats/hugging-face/config-codec.js';
import { qwen2Codec } from '../../formats/hugging-face/qwen2.js';
import { Initializer } from '../../layers/initialization.js';
import { Qwen2, type Qwen2Config, qwen2Config, qwen2Shape } from '../../models/qwen2.js';
import { decoderOptions, gateOfSettings } from '../model.js';
import { completeDecoder } from '../presets.js';
import type { CausalDesign, CausalModelType } from './causal-model-type.js';
import { decoderDesign } from './decoder-design.js';

export const qwen2Type: CausalModelType = {
  modelTypes: ['qwen2'],
  settings: ['heads', 'kvHeads', 'hidden', 'ffn', 'activation', 'param'],
  complete: (given) => completeDecoder(given, 'swiglu'),
  design: (settings, vocabSize) =>
    designOf(qwen2Config({ ...decoderOptions(settings, vocabSize), feedForward: gateOfSettings(settings, 'qwen2') })),
  decode: (config, formula, { dropout }) => designOf({ ...decodeWith(qwen2Codec, config, formula), dropout }),
  read: (config) => designOf(decodeWith(qwen2Codec, config)),
};

const designOf = (config: Qwen2Config): CausalDesign => ({
  ...decoderDesign('Qwen2', qwen2Shape(config), carrierOf(config.feedForward, 'qwen2')),
  build: (device, seed) => new Qwen2(new Initializer(device, seed), config),
  encode: (endOfText) => qwen2Codec.encode(config, endOfText),
});
