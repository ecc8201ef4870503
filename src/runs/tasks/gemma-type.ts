import { carrierOf } from '../../formats/hugging-face/carrier.js';
import { decodeWith } from '../../formats/hugging-face/config-codec.js';
import { gemmaCodec } from '../../formats/hugging-face/gemma.js';
import { Initializer } from '../../layers/initialization.js';
import { Gemma, type GemmaConfig, gemmaConfig, gemmaShape } from '../../models/gemma.js';
import { decoderOptions, gateOfSettings } from '../model.js';
import { completeDecoder } from '../presets.js';
import type { CausalDesign, CausalModelType } from './causal-model-type.js';
import { decoderDesign } from './decoder-design.js';

export const gemmaType: CausalModelType = {
  modelTypes: ['gemma'],
  settings: ['heads', 'kvHeads', 'hidden', 'ffn', 'activation', 'param'],
  complete: (given) => completeDecoder(given, 'gegluTanh'),
  design: (settings, vocabSize) =>
    designOf(gemmaConfig({ ...decoderOptions(settings, vocabSize), feedForward: gateOfSettings(settings, 'gemma') })),
  decode: (config, formula, { dropout }) => designOf({ ...decodeWith(gemmaCodec, config, formula), dropout }),
  read: (config) => designOf(decodeWith(gemmaCodec, config)),
};

const designOf = (config: GemmaConfig): CausalDesign => ({
  ...decoderDesign('Gemma', gemmaShape(config), carrierOf(config.feedForward, 'gemma')),
  build: (device, seed) => new Gemma(new Initializer(device, seed), config),
  encode: (endOfText) => gemmaCodec.encode(config, endOfText),
});
