/** `sluice/models`: whole models, what they cost, and text from them. */
export { type BagConfig, BagOfTokens } from './models/bag-of-tokens.js';
export { Bert, type BertConfig, bert, bertConfig } from './models/bert.js';
export type { CausalModel, TokenCache } from './models/causal-model.js';
export type { DecoderConfig, DecoderOptions } from './models/decoder-config.js';
export {
  type Encoder,
  type EncoderHead,
  type EncoderInputs,
  encoderHeads,
  firstVectors,
  meanVectors,
  paddedLayout,
  type TextLayout,
  visibleRanges,
} from './models/encoder.js';
export type { EncoderOptions } from './models/encoder-options.js';
export { Forecaster, type ForecasterConfig, type Shortcut } from './models/forecaster.js';
export {
  GatedConvolution,
  type GatedConvolutionConfig,
  type GatedConvolutionOptions,
  gatedConvolution,
  gatedConvolutionConfig,
  summarizeGatedConvolution,
} from './models/gated-convolution.js';
export { Gemma, type GemmaConfig, type GemmaOptions, gemma, gemmaConfig } from './models/gemma.js';
export { Gpt2, type Gpt2Config, type Gpt2Options, gpt2, gpt2Config } from './models/gpt2.js';
export {
  Lenet,
  type Lenet5Options,
  Lenet1989,
  type LenetOptions,
  lenet,
  lenet1989,
  type PoolingName,
  poolings,
} from './models/lenet.js';
export { Llama, type LlamaConfig, type LlamaOptions, llama, llamaConfig } from './models/llama.js';
export { Mlp, type MlpConfig, type MlpOptions, mlp, mlpConfig } from './models/mlp.js';
export { ModernBert, type ModernBertConfig, modernBert, modernBertConfig } from './models/modernbert.js';
export {
  Perceptron,
  type PerceptronOptions,
  type PerceptronOutputs,
  perceptron,
  perceptronOutputs,
} from './models/perceptron.js';
export { Qwen2, type Qwen2Config, type Qwen2Options, qwen2, qwen2Config } from './models/qwen2.js';
export {
  RecurrentLanguageModel,
  type RecurrentLanguageModelOptions,
  recurrentLanguageModel,
} from './models/recurrent-language-model.js';
export {
  type Answers,
  SequenceModel,
  type SequenceModelConfig,
  type SequenceModelOptions,
  sequenceModel,
  sequenceModelConfig,
} from './models/sequence-model.js';
export { type ModelSummary, summarize, trainingBytes } from './models/summary.js';
export { type GeneratedPiece, type GenerateOptions, generate } from './runs/generate.js';
export { type GenerationSettings, generationDefaults, greedy, type SamplingOptions, sample } from './runs/sampling.js';
