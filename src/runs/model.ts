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
  if (dim % heads !== 0 || (dim / heads) % 2 !== 0) {
    throw new SluiceError('argument', {
      rule: `dim divided by heads is the width of a head, an even whole number`,
      received: `${dim} / ${heads} = ${Number((dim / heads).toFixed(3))}`,
      remedy: `Try --heads ${headsFor(dim)}.`,
    });
  }
  const feedForward = feedForwardOf(settings);
  return llamaConfig({ vocabSize, dim, layers, heads, kvHeads, context, hidden, feedForward, dropout });
}

/** A number of heads whose width is near 32 and even. */
function headsFor(dim: number): number {
  const fits = Array.from({ length: dim }, (_, i) => i + 1).filter(
    (heads) => dim % heads === 0 && (dim / heads) % 2 === 0,
  );
  return fits.sort((a, b) => Math.abs(dim / a - 32) - Math.abs(dim / b - 32))[0] ?? 1;
}
