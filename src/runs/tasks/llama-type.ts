import { plural } from '../../base/plural.js';
import { decodeWith } from '../../formats/hugging-face/config-codec.js';
import { llamaCodec } from '../../formats/hugging-face/llama.js';
import { Initializer } from '../../layers/initialization.js';
import { Llama, type LlamaConfig } from '../../models/llama.js';
import { summarize, trainingBytes } from '../../models/summary.js';
import { configOf } from '../model.js';
import { completeLlama } from '../presets.js';
import type { CausalDesign, CausalModelType } from './causal-model-type.js';

/** A LLaMA, or an Arcee where its block is plain. */
export const llamaType: CausalModelType = {
  modelTypes: ['llama', 'arcee'],
  settings: ['heads', 'kvHeads', 'hidden', 'ffn', 'activation', 'param'],
  complete: completeLlama,
  design: (settings, vocabSize) => designOf(configOf(settings, vocabSize)),
  decode: (config, formula, { dropout }) => designOf({ ...decodeWith(llamaCodec, config, formula), dropout }),
  read: (config) => designOf(decodeWith(llamaCodec, config)),
};

const designOf = (config: LlamaConfig): CausalDesign => ({
  vocabSize: config.vocabSize,
  context: config.maxPositionEmbeddings,
  formula: config.feedForward,
  description: describe(config),
  summary: summarize(config),
  trainingBytes: (vocabSize, tokens) => trainingBytes({ ...config, vocabSize }, tokens, 1),
  build: (device, seed) => new Llama(new Initializer(device, seed), config),
  encode: (endOfText) => llamaCodec.encode(config, endOfText),
});

const kindNames = { activation: 'plain', row: 'normed' } as const;

function describe(config: LlamaConfig): readonly [string, string] {
  const { numHiddenLayers, hiddenSize, numAttentionHeads, numKeyValueHeads, intermediateSize, feedForward } = config;
  // A type that nobody asked for by name is explained.
  const type = feedForward.kind === 'gate' ? 'LLaMA' : `Arcee (a LLaMA with a ${kindNames[feedForward.kind]} block)`;
  const grouped = numKeyValueHeads === numAttentionHeads ? '' : `, ${numKeyValueHeads} for keys and values`;
  const heads = `${plural(numAttentionHeads, 'head')}${grouped}`;
  const block = `${feedForward.name} block of ${intermediateSize}`;
  return [type, `${plural(numHiddenLayers, 'layer')} of ${hiddenSize}, ${heads}, ${block}`];
}
