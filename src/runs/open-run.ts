import { join } from 'node:path';
import { readFormula } from '../activations/catalogue.js';
import type { Formula } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { loadTokenizer } from '../data/load-tokenizer.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { Device } from '../devices/device.js';
import { decodeConfig } from '../formats/hugging-face.js';
import { Initializer } from '../layers/initialization.js';
import { Llama, type LlamaConfig } from '../models/llama.js';
import { loadWeights } from './checkpointing.js';
import { type RunRecord, readJson, readRecord, runFiles } from './run-folder.js';

/** A trained model with what it needs to be used. */
export interface OpenRun {
  readonly folder: string;
  readonly record: RunRecord;
  readonly config: LlamaConfig;
  readonly model: Llama;
  readonly tokenizer: Tokenizer;
}

/** The model's shape and the block's formula, from a run's files. @throws SluiceError `checkpoint`, `format`, `name`. */
export async function readConfig(folder: string, record: RunRecord): Promise<LlamaConfig> {
  const config = decodeConfig(await readJson(folder, runFiles.config), formulaOf(folder, record));
  return { ...config, dropout: record.settings.dropout };
}

function formulaOf(folder: string, { feedForward }: RunRecord): Formula {
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

/** @throws SluiceError `checkpoint` for a folder that is no finished run, or whose files do not fit together. */
export async function openRun(folder: string, device: Device, options: OpenOptions = {}): Promise<OpenRun> {
  const { atInit } = completeOptions('openRun', options, openDefaults);
  const record = await readRecord(folder);
  if (record.settings.task !== 'causal') {
    throw new SluiceError('checkpoint', {
      rule: 'a run that writes is one of the task causal',
      received: record.settings.task,
      remedy: `Judge it with: sluice evaluate ${folder}.`,
    });
  }
  const config = await readConfig(folder, record);
  const tokenizer = await loadTokenizer(folder);
  if (tokenizer.vocabularySize > config.vocabSize) {
    throw new SluiceError('checkpoint', {
      rule: `the tokenizer of ${folder} fits the model's vocabulary of ${config.vocabSize}`,
      received: tokenizer.vocabularySize,
      remedy: 'Its files belong to different runs.',
    });
  }
  const model = new Llama(new Initializer(device, record.settings.seed), config);
  if (!atInit) await loadWeights(folder, model);
  return { folder, record, config, model, tokenizer };
}
