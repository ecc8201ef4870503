import { catalogue, find, resolveActivation } from '../activations/catalogue.js';
import type { Activation, Gate } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { gateOf } from '../formats/hugging-face.js';
import { type LlamaConfig, llamaConfig } from '../models/llama.js';
import type { Settings } from './settings.js';

/** The formula of the feed-forward block: a gate by its name, or `gated` and `mlp` with an activation. */
export function feedForwardOf({ ffn, activation }: Pick<Settings, 'ffn' | 'activation'>): Gate | Activation {
  if (ffn === 'mlp') return resolveActivation(activation ?? 'relu2');
  if (ffn === 'gated') return gateOf(resolveActivation(activation ?? 'silu'));
  const gates = catalogue().filter(({ kind }) => kind === 'gate');
  const known = ['mlp', 'gated', ...gates.flatMap(({ name, aliases }) => [name, ...aliases])];
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
