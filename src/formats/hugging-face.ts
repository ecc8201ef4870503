/** config.json as Hugging Face Transformers reads and writes it. */
import { catalogue, find } from '../activations/catalogue.js';
import { type Activation, Formula, type Gate } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { LlamaConfig } from '../models/llama.js';
import { type Expression, substitute, variable } from '../scalar/expression.js';
import { simplify } from '../scalar/simplify.js';

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
export function hiddenAct(feedForward: Gate | Activation): string | undefined {
  if (feedForward.learned.length > 0) return undefined;
  return writtenNames.find((name) => {
    const activation = find(name, 'activation');
    const candidate = feedForward.kind === 'gate' ? gateOf(activation) : activation;
    return isSame(candidate.expression, feedForward.expression);
  });
}

/** The config.json of a LLaMA, or of an Arcee when its block is plain. */
export function encodeConfig(config: LlamaConfig): Record<string, unknown> {
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
    attention_bias: false,
    mlp_bias: false,
    tie_word_embeddings: config.tieWordEmbeddings,
    bos_token_id: null,
    eos_token_id: null,
    dtype: 'float32',
    torch_dtype: 'float32',
  };
}

/**
 * Reads the config.json of a LLaMA or an Arcee.
 * @param stored the block's formula where the run keeps it itself.
 * @throws SluiceError `format` for a missing or impossible value, `name` for a model type or activation we do not have.
 */
export function decodeConfig(json: Readonly<Record<string, unknown>>, stored?: Formula): LlamaConfig {
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
    maxPositionEmbeddings: count('max_position_embeddings', 2048),
    rmsNormEps: numberOf(json['rms_norm_eps'], isGated ? 1e-6 : 1e-5),
    ropeTheta: ropeTheta(json),
    tieWordEmbeddings: json['tie_word_embeddings'] === true,
    initializerRange: numberOf(json['initializer_range'], 0.02),
    feedForward: feedForwardOf(json, isGated, stored),
    dropout: 0,
  };
}

function feedForwardOf(json: Readonly<Record<string, unknown>>, isGated: boolean, stored?: Formula): Gate | Activation {
  if (stored !== undefined && stored.kind !== 'row') return stored as Gate | Activation;
  const name = String(json['hidden_act'] ?? (isGated ? 'silu' : 'relu2'));
  const activation = find(name, 'activation');
  return isGated ? gateOf(activation) : activation;
}

const numberOf = (value: unknown, fallback: number): number => (typeof value === 'number' ? value : fallback);

function countOf(json: Readonly<Record<string, unknown>>, key: string, fallback?: number): number {
  const value = json[key] ?? fallback;
  if (typeof value === 'number' && Number.isInteger(value) && value > 0 && value < 2 ** 31) return value;
  throw new SluiceError('format', { rule: `config.json has ${key}, a whole number above 0`, received: value });
}

/** Transformers 5 keeps it in rope_parameters, older ones at the top. */
function ropeTheta(json: Readonly<Record<string, unknown>>): number {
  const parameters = json['rope_parameters'];
  const nested = typeof parameters === 'object' && parameters !== null ? Object.entries(parameters) : [];
  const type = nested.find(([key]) => key === 'rope_type')?.[1] ?? 'default';
  const scaling = json['rope_scaling'];
  if (type !== 'default' || (scaling !== undefined && scaling !== null)) {
    throw new SluiceError('format', { rule: 'rotary positions are not scaled here', received: scaling ?? type });
  }
  return numberOf(nested.find(([key]) => key === 'rope_theta')?.[1] ?? json['rope_theta'], 10_000);
}
