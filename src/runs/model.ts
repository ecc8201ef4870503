import { catalogue } from '../activations/catalogue.js';
import type { Activation, Gate, Kind, RowFunction } from '../activations/kinds.js';
import { activationWith, withParameters } from '../activations/parameters.js';
import { SluiceError } from '../base/errors.js';
import { didYouMean, plainName } from '../base/nearest.js';
import { gateOf } from '../formats/hugging-face/activation-names.js';
import { type CarrierType, carrierOf } from '../formats/hugging-face/carrier.js';
import type { BlockFormula } from '../layers/feed-forward.js';
import type { DecoderOptions } from '../models/decoder-config.js';
import { type LlamaConfig, llamaConfig } from '../models/llama.js';
import type { Settings } from './settings.js';

const parametersOf = ({ param }: Pick<Settings, 'param'>): string[] => param?.split(',') ?? [];

/** The activation that settings name, with the parameters that they give. */
export const activationOf = (settings: Pick<Settings, 'activation' | 'param'>, usual: string): Activation =>
  activationWith(settings.activation ?? usual, parametersOf(settings));

/** Formulas that make a block by their name alone. */
type NamedBlock = Gate | RowFunction;

const namedBlocks = (): NamedBlock[] =>
  catalogue().filter((formula): formula is NamedBlock => formula.kind !== 'activation');

/** The formula of the feed-forward block: a gate or a row function by its name, or `gated` and `mlp` with an activation. */
export function feedForwardOf(settings: Pick<Settings, 'ffn' | 'activation' | 'param'>): BlockFormula {
  const { ffn } = settings;
  if (ffn === 'mlp') return activationOf(settings, 'relu2');
  if (ffn === 'gated') return gateOf(activationOf(settings, 'silu'));
  const named = blockNamed(ffn);
  const given = parametersOf(settings);
  return named.kind === 'gate' ? withParameters(named, given) : withParameters(named, given);
}

/** The gate or the row function of that name. @throws SluiceError `name` with the nearest. */
export function blockNamed(ffn: string): NamedBlock {
  const found = namedBlocks().find(({ name, aliases }) =>
    [name, ...aliases].some((one) => plainName(one) === plainName(ffn)),
  );
  if (found !== undefined) return found;
  const known = ['mlp', 'gated', ...namedBlocks().flatMap(({ name, aliases }) => [name, ...aliases])];
  throw new SluiceError('name', {
    rule: 'a feed-forward block is mlp, gated, or a gate or a row function of the catalogue',
    received: ffn,
    remedy: didYouMean(ffn, known, `They are: ${known.join(', ')}.`),
  });
}

/** Which block the name of one makes. @throws SluiceError `name` for an unknown one. */
export function blockKind(ffn: string): Kind {
  if (ffn === 'mlp') return 'activation';
  return ffn === 'gated' ? 'gate' : blockNamed(ffn).kind;
}

/** The block of a model type that has none but gated ones. @throws SluiceError `argument` for a plain block. */
export function gateOfSettings(settings: Pick<Settings, 'ffn' | 'activation' | 'param'>, type: CarrierType): Gate {
  const feedForward = feedForwardOf(settings);
  carrierOf(feedForward, type);
  return feedForward as Gate;
}

/** The shape that settings and a tokenizer's vocabulary describe. */
export function decoderOptions(settings: Settings, vocabSize: number): DecoderOptions {
  const { dim, heads, layers, kvHeads, hidden, context, dropout } = settings;
  return { vocabSize, dim, layers, heads, kvHeads, context, hidden, dropout };
}

/** The LLaMA that settings and a tokenizer's vocabulary describe. @throws SluiceError `argument` with what would fit. */
export const configOf = (settings: Settings, vocabSize: number): LlamaConfig =>
  llamaConfig({ ...decoderOptions(settings, vocabSize), feedForward: feedForwardOf(settings) });
