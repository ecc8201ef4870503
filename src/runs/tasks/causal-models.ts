import { SluiceError } from '../../base/errors.js';
import { didYouMean } from '../../base/nearest.js';
import type { Settings } from '../settings.js';
import type { CausalModelType } from './causal-model-type.js';
import { gatedConvolutionType } from './gated-convolution-type.js';
import { gemmaType } from './gemma-type.js';
import { gpt2Type } from './gpt2-type.js';
import { llamaType } from './llama-type.js';
import { qwen2Type } from './qwen2-type.js';
import { recurrentType } from './recurrent-type.js';

/** The model types of text, by what --model says; the first is the usual one. */
const causalModels = {
  llama: llamaType,
  arcee: llamaType,
  gpt2: gpt2Type,
  qwen2: qwen2Type,
  gemma: gemmaType,
  'gated-conv': gatedConvolutionType,
  rnn: recurrentType('rnn'),
  lstm: recurrentType('lstm'),
  gru: recurrentType('gru'),
} as const satisfies Partial<Record<Settings['model'], CausalModelType>>;

/** What config.json of a model of text has as `model_type`. */
export const causalModelTypes: readonly string[] = [
  ...new Set(Object.values(causalModels).flatMap(({ modelTypes }) => modelTypes)),
];

/** @throws SluiceError `argument` for a model of examples. */
export function causalModelNamed(name: Settings['model'] = 'llama'): CausalModelType {
  const found = Object.entries(causalModels).find(([known]) => known === name);
  if (found !== undefined) return found[1];
  const known = Object.keys(causalModels);
  throw new SluiceError('argument', {
    rule: `causal is learned by ${known.join(' or ')}`,
    received: `--model ${name}`,
    remedy: didYouMean(name, known, `Leave it out for ${known[0]}, or give a --task of examples.`),
  });
}
