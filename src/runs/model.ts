import { catalogue, find } from '../activations/catalogue.js';
import type { Activation, Gate } from '../activations/kinds.js';
import { activationWith, withParameters } from '../activations/parameters.js';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { gateOf } from '../formats/hugging-face/activation-names.js';
import { type LlamaConfig, llamaConfig } from '../models/llama.js';
import type { Settings } from './settings.js';

const parametersOf = ({ param }: Pick<Settings, 'param'>): string[] => param?.split(',') ?? [];

/** The activation that settings name, with the parameters that they give. */
export const activationOf = (settings: Pick<Settings, 'activation' | 'param'>, usual: string): Activation =>
  activationWith(settings.activation ?? usual, parametersOf(settings));

/** The formula of the feed-forward block: a gate by its name, or `gated` and `mlp` with an activation. */
export function feedForwardOf(settings: Pick<Settings, 'ffn' | 'activation' | 'param'>): Gate | Activation {
  const { ffn } = settings;
  if (ffn === 'mlp') return activationOf(settings, 'relu2');
  if (ffn === 'gated') return gateOf(activationOf(settings, 'silu'));
  const gates = catalogue().filter(({ kind }) => kind === 'gate');
  const known = ['mlp', 'gated', ...gates.flatMap(({ name, aliases }) => [name, ...aliases])];
  return withParameters(gateNamed(ffn, known), parametersOf(settings));
}

function gateNamed(ffn: string, known: readonly string[]): Gate {
  try {
    return find(ffn, 'gate');
  } catch (cause) {
    throw new SluiceError('name', {
      rule: 'a feed-forward block is mlp, gated, or a gate of the catalogue',
      received: ffn,
      remedy: didYouMean(ffn, known, `They are: ${known.join(', ')}.`),
      cause,
    });
  }
}

/** The model that settings and a tokenizer's vocabulary describe. @throws SluiceError `argument` with what would fit. */
export function configOf(settings: Settings, vocabSize: number): LlamaConfig {
  const { dim, heads, layers, kvHeads, hidden, context, dropout } = settings;
  const feedForward = feedForwardOf(settings);
  return llamaConfig({ vocabSize, dim, layers, heads, kvHeads, context, hidden, feedForward, dropout });
}
