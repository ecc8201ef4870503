/** `sluice/models`: whole models, what they cost, and text from them. */
export { type BagConfig, BagOfTokens } from './models/bag-of-tokens.js';
export type { CausalModel, TokenCache } from './models/causal-model.js';
export { Llama, type LlamaConfig, type LlamaOptions, llama, llamaConfig } from './models/llama.js';
export { Mlp, type MlpConfig, type MlpOptions, mlp, mlpConfig } from './models/mlp.js';
export {
  Perceptron,
  type PerceptronOptions,
  type PerceptronOutputs,
  perceptron,
  perceptronOutputs,
} from './models/perceptron.js';
export { type ModelSummary, summarize, trainingBytes } from './models/summary.js';
export { type GeneratedPiece, type GenerateOptions, generate } from './runs/generate.js';
export { type GenerationSettings, generationDefaults, greedy, type SamplingOptions, sample } from './runs/sampling.js';
