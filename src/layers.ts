/** `sluice/layers`: what models are made of. */
export {
  Attention,
  type AttentionBias,
  type AttentionInputs,
  type AttentionOptions as AttentionLayerOptions,
} from './layers/attention.js';
export { attentionWithDropout, type DroppedAttentionOptions } from './layers/attention-dropout.js';
export { Conv1d, Conv2d, type ConvolutionOptions, type LineConvolutionOptions } from './layers/convolution.js';
export { ConvolutionCache, type ConvolutionCacheShape } from './layers/convolution-cache.js';
export { alphaDropout, dropout } from './layers/dropout.js';
export { Embedding } from './layers/embedding.js';
export {
  type Block,
  type BlockBias,
  type BlockFormula,
  blockOf,
  FeedForward,
  type FeedForwardOptions,
  type GatedBlockBias,
  GatedFeedForward,
  type GatedFeedForwardOptions,
  RowFeedForward,
} from './layers/feed-forward.js';
export { FormulaLayer } from './layers/formula-layer.js';
export { type Packing, unpackGate } from './layers/gate-packing.js';
export { type ForwardCall, type ForwardHook, onForward } from './layers/hooks.js';
export { type Distribution, Initializer } from './layers/initialization.js';
export {
  deviationOf,
  distributionOf,
  type Fan,
  gainOf,
  type SchemeName,
  schemeNames,
  suitedScheme,
} from './layers/initialization-schemes.js';
export { type CacheShape, KeyValueCache } from './layers/key-value-cache.js';
export { Layer, type NamedParameter, type WeightReader, weightsUnder } from './layers/layer.js';
export { Linear, type LinearOptions, TransposedLinear } from './layers/linear.js';
export { Mode } from './layers/mode.js';
export { LayerNorm, OffsetRmsNorm, RmsNorm } from './layers/normalization.js';
export {
  type AveragePoolingOptions,
  averagePool1d,
  averagePool2d,
  type MaxPoolingOptions,
  maxPool1d,
  maxPool2d,
  type PoolingOptions,
} from './layers/pooling.js';
export {
  Gru,
  Lstm,
  Recurrent,
  type RecurrentInputs,
  type RecurrentOutputs,
  type RecurrentStates,
  type RecurrentTrace,
  Rnn,
} from './layers/recurrent.js';
export { RecurrentCache } from './layers/recurrent-cache.js';
export type { OutputUnits, RecurrentOptions } from './layers/recurrent-options.js';
export { RotaryEmbedding } from './layers/rope.js';
export {
  type DynamicRopeScaling,
  type LinearRopeScaling,
  type Llama3RopeScaling,
  type RopeScaling,
  type YarnRopeScaling,
  yarnAttentionFactor,
} from './layers/rope-scaling.js';
export type { AlongLine, Sizes } from './layers/sizes.js';
export { StraightThrough } from './layers/straight-through.js';
export { type GatedWidthOptions, gatedWidth } from './layers/widths.js';
