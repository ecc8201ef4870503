import { carrierOf } from '../../formats/hugging-face/carrier.js';
import { decodeWith } from '../../formats/hugging-face/config-codec.js';
import { llamaCodec } from '../../formats/hugging-face/llama.js';
import { Initializer } from '../../layers/initialization.js';
import { Llama, type LlamaConfig } from '../../models/llama.js';
import { llamaShape } from '../../models/summary.js';
import { configOf } from '../model.js';
import { completeLlama } from '../presets.js';
import type { CausalDesign, CausalModelType } from './causal-model-type.js';
import { decoderDesign } from './decoder-design.js';

/** A LLaMA, or an Arcee where its block is plain. */
export const llamaType: CausalModelType = {
  modelTypes: ['llama', 'arcee'],
  settings: ['heads', 'kvHeads', 'hidden', 'ffn', 'activation', 'param'],
  complete: completeLlama,
  design: (settings, vocabSize) => designOf(configOf(settings, vocabSize)),
  decode: (config, formula, { dropout }) => designOf({ ...decodeWith(llamaCodec, config, formula), dropout }),
  read: (config) => designOf(decodeWith(llamaCodec, config)),
};

const kindNames = { gate: 'gated', activation: 'plain', row: 'normed' } as const;

function designOf(config: LlamaConfig): CausalDesign {
  const { feedForward } = config;
  const carrier = carrierOf(feedForward);
  // A type that nobody asked for by name is explained.
  const type = carrier.type === 'llama' ? 'LLaMA' : `Arcee (a LLaMA with a ${kindNames[feedForward.kind]} block)`;
  return {
    ...decoderDesign(type, llamaShape(config), carrier),
    build: (device, seed) => new Llama(new Initializer(device, seed), config),
    encode: (endOfText) => llamaCodec.encode(config, endOfText),
  };
}
