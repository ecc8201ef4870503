import { join } from 'node:path';
import { readFormula } from '../activations/catalogue.js';
import type { Formula } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { loadTokenizer } from '../data/load-tokenizer.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { Device } from '../devices/device.js';
import type { CausalModel } from '../models/causal-model.js';
import { loadWeights } from './checkpointing.js';
import { readFolder } from './read-folder.js';
import { type RunRecord, readJson, runFiles } from './run-folder.js';
import type { CausalDesign } from './tasks/causal-model-type.js';
import { causalModelNamed } from './tasks/causal-models.js';

/** A trained model with what it needs to be used. */
export interface OpenRun {
  readonly folder: string;
  readonly record: RunRecord;
  readonly design: CausalDesign;
  readonly model: CausalModel;
  readonly tokenizer: Tokenizer;
}

/** The model's shape and the block's formula, from a run's files. @throws SluiceError `checkpoint`, `format`, `name`. */
export async function readDesign(folder: string, record: RunRecord): Promise<CausalDesign> {
  const { settings } = record;
  const config = await readJson(folder, runFiles.config);
  return causalModelNamed(settings.model).decode(config, formulaOf(folder, record), settings);
}

/** The block's formula. @throws SluiceError `checkpoint`. */
export function formulaOf(folder: string, { feedForward }: RunRecord): Formula {
  try {
    return readFormula(feedForward);
  } catch (cause) {
    throw new SluiceError('checkpoint', {
      rule: `in ${join(folder, runFiles.record)} feedForward.expression is a formula`,
      received: feedForward.expression,
      remedy: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
}

export interface OpenOptions {
  /** The weights that the run began with, instead of those that it came to; false by default. */
  readonly atInit?: boolean;
}

const openDefaults = { atInit: false } satisfies OptionTable<OpenOptions>;

/**
 * Opens a run, or a folder of a model type that we have as Hugging Face's libraries write it.
 * @throws SluiceError `checkpoint` for a folder that is no finished run, or whose files do not fit together; `name` for a
 * model type that we do not have.
 */
export async function openRun(folder: string, device: Device, options: OpenOptions = {}): Promise<OpenRun> {
  const { atInit } = completeOptions('openRun', options, openDefaults);
  const record = await readFolder(folder);
  if (record.settings.task !== 'causal') {
    throw new SluiceError('checkpoint', {
      rule: 'a run that writes is one of the task causal',
      received: record.settings.task,
      remedy: `Judge it with: sluice evaluate ${folder}.`,
    });
  }
  const design = await readDesign(folder, record);
  const tokenizer = await loadTokenizer(folder);
  if (tokenizer.vocabularySize > design.vocabSize) {
    throw new SluiceError('checkpoint', {
      rule: `the tokenizer of ${folder} fits the model's vocabulary of ${design.vocabSize}`,
      received: tokenizer.vocabularySize,
      remedy: 'Its files belong to different runs.',
    });
  }
  const model = design.build(device, atInit ? record.settings.seed : undefined);
  if (!atInit) await loadWeights(folder, model);
  return { folder, record, design, model, tokenizer };
}
