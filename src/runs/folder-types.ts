/** The model types of folders that have config.json but no run.json: downloaded, or written by another program. */
import type { Formula } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { Settings } from './settings.js';
import { causalModelNamed } from './tasks/causal-models.js';
import { type EncoderName, encoderNamed } from './tasks/encoder-types.js';

type Json = Readonly<Record<string, unknown>>;

/** How a folder of one model type is opened. */
export interface FolderType {
  /**
   * What run.json would say of it: the task, by the head that `architectures` names, the model, and the block's formula.
   * @throws SluiceError `format` for a missing or impossible value.
   */
  describe(config: Json): {
    readonly settings: Partial<Settings> & Pick<Settings, 'task' | 'model'>;
    readonly formula: Formula;
  };
}

/** A model of text that config.json alone describes. */
const causalFolder = (model: Settings['model']): FolderType => ({
  describe(config) {
    const design = causalModelNamed(model).read?.(config);
    if (design === undefined) throw unknownType(model);
    return { settings: { task: 'causal', model, context: design.context }, formula: design.formula };
  },
});

/** An encoder, with or without a head: it says hidden words, or gives texts their vectors. */
const encoderFolder = (model: EncoderName): FolderType => ({
  describe(config) {
    const design = encoderNamed(model).decode(config);
    return { settings: { task: 'mlm', model, context: design.context }, formula: design.formula };
  },
});

/** By what `model_type` says. */
const folderTypes: Readonly<Record<string, FolderType>> = {
  llama: causalFolder('llama'),
  arcee: causalFolder('arcee'),
  bert: encoderFolder('bert'),
  modernbert: encoderFolder('modernbert'),
  gpt2: causalFolder('gpt2'),
  qwen2: causalFolder('qwen2'),
  gemma: causalFolder('gemma'),
};

/** @throws SluiceError `name` that suggests the nearest type. */
export function folderTypeNamed(name: unknown): FolderType {
  const found = typeof name === 'string' && Object.hasOwn(folderTypes, name) ? folderTypes[name] : undefined;
  if (found !== undefined) return found;
  throw unknownType(name);
}

function unknownType(received: unknown): SluiceError {
  const known = Object.keys(folderTypes);
  return new SluiceError('name', {
    rule: `the model_type in config.json is one of ${known.join(', ')}`,
    received,
    remedy: didYouMean(String(received), known, 'Choose a model of one of these types.'),
  });
}
