import { plural } from '../../base/plural.js';
import type { Carrier } from '../../formats/hugging-face/carrier.js';
import { type DecoderShape, decoderTrainingBytes, summarizeDecoder } from '../../models/summary.js';
import type { CausalDesign } from './causal-model-type.js';

/** What a design of a decoder says of its shape. */
export const decoderDesign = (
  type: string,
  shape: DecoderShape,
  carrier: Carrier,
): Omit<CausalDesign, 'build' | 'encode'> => ({
  vocabSize: shape.vocabSize,
  context: shape.maxPositionEmbeddings,
  formula: shape.feedForward,
  description: [type, describe(shape)],
  summary: summarizeDecoder(shape),
  carrier,
  trainingBytes: (vocabSize, tokens) => decoderTrainingBytes({ ...shape, vocabSize }, tokens),
});

function describe(shape: DecoderShape): string {
  const { numHiddenLayers, hiddenSize, numAttentionHeads, numKeyValueHeads, intermediateSize, feedForward } = shape;
  const grouped = numKeyValueHeads === numAttentionHeads ? '' : `, ${numKeyValueHeads} for keys and values`;
  const heads = `${plural(numAttentionHeads, 'head')}${grouped}`;
  return `${plural(numHiddenLayers, 'layer')} of ${hiddenSize}, ${heads}, ${feedForward.name} block of ${intermediateSize}`;
}
