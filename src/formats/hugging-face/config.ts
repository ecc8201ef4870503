/** config.json as Hugging Face Transformers reads and writes it. */
import type { Formula } from '../../activations/kinds.js';
import type { LlamaConfig } from '../../models/llama.js';
import { decodeWith } from './config-codec.js';
import type { Json } from './config-values.js';
import { llamaCodec } from './llama.js';

/**
 * The config.json of a LLaMA, or of an Arcee when its block is plain.
 * @param endOfText the token that ends a text, where the tokenizer has one: generation stops there.
 */
export const encodeConfig = (config: LlamaConfig, endOfText?: number): Record<string, unknown> =>
  llamaCodec.encode(config, endOfText);

/**
 * Reads the config.json of a LLaMA or an Arcee.
 * @param stored the block's formula where the run keeps it itself.
 * @throws SluiceError `format` for a missing or impossible value, `name` for a model type or activation we do not have.
 */
export const decodeConfig = (json: Json, stored?: Formula): LlamaConfig => decodeWith(llamaCodec, json, stored);
