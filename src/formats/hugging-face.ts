/** config.json as Hugging Face Transformers reads and writes it. */
import { catalogue, find } from '../activations/catalogue.js';
import { type Activation, Formula, type Gate } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { BlockFormula } from '../layers/feed-forward.js';
import type { LlamaConfig } from '../models/llama.js';
import { type Expression, substitute, variable } from '../scalar/expression.js';
import { simplify } from '../scalar/simplify.js';

type Json = Readonly<Record<string, unknown>>;

/**
 * The activations that Transformers computes, by the name to write where it has several for one; to read, every alias of
 * the catalogue will do.
 */
const writtenNames = [
  ...['gelu', 'gelu_10', 'gelu_pytorch_tanh', 'hardswish', 'laplace', 'leaky_relu', 'linear', 'mish', 'quick_gelu'],
  ...['relu', 'relu2', 'relu6', 'sigmoid', 'silu', 'sqrtsoftplus', 'tanh'],
] as const;

/** The gate activation(gate) * value, what the activation learns included; named as the catalogue's gate that is the same. */
export function gateOf(activation: Activation): Gate {
  const { noisy, parameters, learned, source } = activation;
  const definition = substitute(noisy, { x: variable('gate') }).mul(variable('value'));
  const same = catalogue().find(({ kind, expression }) => kind === 'gate' && isSame(expression, definition));
  const name = same?.name ?? `${activation.name}Gate`;
  const kept = Object.entries(parameters).filter(([parameter]) => learned.includes(parameter));
  return new Formula('gate', name, definition, Object.fromEntries(kept), { source });
}

const isSame = (a: Expression, b: Expression): boolean => simplify(a) === simplify(b);

/**
 * What Transformers calls the block's activation, or undefined where it has none that computes the same: found by
 * comparing expressions, not names.
 */
export function hiddenAct(feedForward: BlockFormula): string | undefined {
  if (feedForward.learned.length > 0 || feedForward.kind === 'row') return undefined;
  return writtenNames.find((name) => {
    const activation = find(name, 'activation');
    const candidate = feedForward.kind === 'gate' ? gateOf(activation) : activation;
    return isSame(candidate.expression, feedForward.expression);
  });
}

/**
 * The config.json of a LLaMA, or of an Arcee when its block is plain.
 * @param endOfText the token that ends a text, where the tokenizer has one: generation stops there.
 */
export function encodeConfig(config: LlamaConfig, endOfText?: number): Record<string, unknown> {
  const isGated = config.feedForward.kind === 'gate';
  return {
    architectures: [isGated ? 'LlamaForCausalLM' : 'ArceeForCausalLM'],
    model_type: isGated ? 'llama' : 'arcee',
    vocab_size: config.vocabSize,
    hidden_size: config.hiddenSize,
    intermediate_size: config.intermediateSize,
    num_hidden_layers: config.numHiddenLayers,
    num_attention_heads: config.numAttentionHeads,
    num_key_value_heads: config.numKeyValueHeads,
    head_dim: config.headDim,
    // A name that Transformers lacks fails to load there, which is right: the model computes something else.
    hidden_act: hiddenAct(config.feedForward) ?? `sluice:${config.feedForward.name}`,
    max_position_embeddings: config.maxPositionEmbeddings,
    initializer_range: config.initializerRange,
    rms_norm_eps: config.rmsNormEps,
    rope_theta: config.ropeTheta,
    attention_bias: config.attentionBias,
    mlp_bias: config.mlpBias,
    tie_word_embeddings: config.tieWordEmbeddings,
    bos_token_id: null,
    eos_token_id: endOfText ?? null,
    dtype: 'float32',
    torch_dtype: 'float32',
  };
}

/** The generation_config.json that Transformers derives from a config.json: it leaves out what is null. */
export const encodeGenerationConfig = (endOfText?: number): Record<string, unknown> => ({
  _from_model_config: true,
  ...(endOfText === undefined ? {} : { eos_token_id: endOfText }),
});

/**
 * Reads the config.json of a LLaMA or an Arcee.
 * @param stored the block's formula where the run keeps it itself.
 * @throws SluiceError `format` for a missing or impossible value, `name` for a model type or activation we do not have.
 */
export function decodeConfig(json: Json, stored?: Formula): LlamaConfig {
  const type = json['model_type'];
  if (type !== 'llama' && type !== 'arcee') {
    throw new SluiceError('name', {
      rule: 'a model type is llama or arcee here',
      received: type,
      remedy: didYouMean(String(type), ['llama', 'arcee'], 'Other types are to come.'),
    });
  }
  const count = (key: string, fallback?: number): number => countOf(json, key, fallback);
  const [hiddenSize, numAttentionHeads] = [count('hidden_size'), count('num_attention_heads')];
  const isGated = type === 'llama';
  return {
    vocabSize: count('vocab_size'),
    hiddenSize,
    intermediateSize: count('intermediate_size'),
    numHiddenLayers: count('num_hidden_layers'),
    numAttentionHeads,
    numKeyValueHeads: count('num_key_value_heads', numAttentionHeads),
    headDim: count('head_dim', hiddenSize / numAttentionHeads),
    maxPositionEmbeddings: count('max_position_embeddings', isGated ? 2048 : 4096),
    rmsNormEps: numberOf(json, 'rms_norm_eps', isGated ? 1e-6 : 1e-5),
    ropeTheta: ropeTheta(json),
    tieWordEmbeddings: flagOf(json, 'tie_word_embeddings'),
    attentionBias: flagOf(json, 'attention_bias'),
    mlpBias: flagOf(json, 'mlp_bias'),
    initializerRange: numberOf(json, 'initializer_range', 0.02),
    feedForward: feedForwardOf(json, isGated, stored),
    dropout: 0,
  };
}

function feedForwardOf(json: Json, isGated: boolean, stored?: Formula): BlockFormula {
  if (stored !== undefined) return stored as BlockFormula;
  const name = String(json['hidden_act'] ?? (isGated ? 'silu' : 'relu2'));
  const activation = find(name, 'activation');
  return isGated ? gateOf(activation) : activation;
}

/** false where it is left out, as in Transformers' LlamaConfig and ArceeConfig. */
function flagOf(json: Json, key: string): boolean {
  const value = json[key] ?? false;
  if (typeof value === 'boolean') return value;
  throw new SluiceError('format', {
    rule: `${key} in config.json is true or false`,
    received: value,
    remedy: 'Correct it, or leave it out for false.',
  });
}

function numberOf(json: Json, key: string, fallback: number): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value;
  throw new SluiceError('format', {
    rule: `${key} in config.json is a number of at least 0`,
    received: value,
    remedy: `Correct it, or leave it out for ${fallback}.`,
  });
}

/** @throws SluiceError `format` for what is no size. */
export function countOf(json: Json, key: string, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new SluiceError('format', {
    rule: `config.json has ${key}, a whole number above 0`,
    received: value,
    remedy: 'Fetch config.json anew, or give it what the weights have.',
  });
}

/** What positions that are not scaled have beside their base. */
const plainRotary: Json = { rope_type: 'default', type: 'default', partial_rotary_factor: 1 };

/**
 * The base of the rotary positions: version 5 of Transformers keeps it in rope_parameters, older ones at the top.
 * @throws SluiceError `format` for positions that are scaled, or turn a part of a head alone.
 */
function ropeTheta(json: Json): number {
  const parts = { rope_scaling: recordOf(json, 'rope_scaling'), rope_parameters: recordOf(json, 'rope_parameters') };
  for (const [key, part] of Object.entries(parts)) {
    for (const [name, value] of Object.entries(part)) {
      if (name === 'rope_theta' || value === null || value === plainRotary[name]) continue;
      throw new SluiceError('format', {
        rule: `rotary positions are not scaled here: ${key}.${name} is ${plainRotary[name] ?? 'left out'}`,
        received: value,
        remedy: 'Without its scaling the model would compute something else: choose one that has none.',
      });
    }
  }
  const nested = { ...parts.rope_scaling, ...parts.rope_parameters };
  return numberOf(nested, 'rope_theta', numberOf(json, 'rope_theta', 10_000));
}

/** An object of the configuration; empty where it is left out or null. */
function recordOf(json: Json, key: string): Json {
  const value = json[key] ?? {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Json;
  throw new SluiceError('format', {
    rule: `${key} in config.json is an object`,
    received: value,
    remedy: 'Correct it, or leave it out.',
  });
}
