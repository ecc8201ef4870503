import { join } from 'node:path';
import { readFormula } from '../activations/catalogue.js';
import type { Formula } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { loadTokenizer } from '../data/load-tokenizer.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { Device } from '../devices/device.js';
import { exists } from '../formats/file-system.js';
import type { CausalModel } from '../models/causal-model.js';
import { hasOwnHead, loadWeights } from './checkpointing.js';
import { type Ends, readEnds } from './generation-config.js';
import { locateModel } from './hub/locate.js';
import { readFolder } from './read-folder.js';
import { type RunRecord, readJson, runFiles } from './run-folder.js';
import type { CausalDesign } from './tasks/causal-model-type.js';
import { causalModelNamed } from './tasks/causal-models.js';

type Json = Readonly<Record<string, unknown>>;

/** A model of text as its folder has it. */
export interface OpenModel extends Ends {
  readonly folder: string;
  /** config.json. */
  readonly config: Json;
  /** run.json, or what it would say. */
  readonly record: RunRecord;
  readonly design: CausalDesign;
  readonly model: CausalModel;
  /** Undefined where the folder has no tokenizer.json. */
  readonly tokenizer: Tokenizer | undefined;
  /** Tensors of the folder that the model has no use for: buffers, heads of other tasks. */
  readonly leftOut: readonly string[];
}

/** A trained model with what it needs to be used. */
export interface OpenRun extends OpenModel {
  readonly tokenizer: Tokenizer;
}

/** The model's shape and the block's formula, from a run's files. @throws SluiceError `checkpoint`, `format`, `name`. */
export async function readDesign(folder: string, record: RunRecord): Promise<CausalDesign> {
  return designOf(folder, record, await readJson(folder, runFiles.config));
}

function designOf(folder: string, record: RunRecord, config: Json): CausalDesign {
  const { settings } = record;
  if (settings.task !== 'causal') {
    throw new SluiceError('checkpoint', {
      rule: 'a run that writes is one of the task causal',
      received: settings.task,
      remedy: `Judge it with: sluice evaluate ${folder}.`,
    });
  }
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
 * Opens a model of text: the folder of a run, one of a model type that we have as Hugging Face's libraries write it
 * (config.json and safetensors, whole or in shards), or the name of a model that `sluice pull` fetched. The weights are
 * read a piece at a time; what config.json ties and the weights part is parted, as in Transformers.
 * @throws SluiceError `checkpoint` for a folder that is no finished run, or whose files do not fit together; `name` for a
 * model type that we do not have; `format` for a malformed file.
 * @example const { model, tokenizer } = await open('SmolLM2-135M', device);
 */
export async function open(name: string, device: Device, options: OpenOptions = {}): Promise<OpenModel> {
  const { atInit } = completeOptions('open', options, openDefaults);
  const folder = await locateModel(name);
  const record = await readFolder(folder);
  const config = await readJson(folder, runFiles.config);
  const design = designOf(folder, record, config);
  const ends = await readEnds(folder, config, design.vocabSize);
  const tokenizer = (await exists(join(folder, 'tokenizer.json'))) ? await loadTokenizer(folder) : undefined;
  if (tokenizer !== undefined) requireFit(folder, tokenizer, design);
  if (atInit) {
    const model = design.build(device, record.settings.seed);
    return { folder, config, record, design, model, tokenizer, ...ends, leftOut: [] };
  }
  return { folder, config, record, tokenizer, ...ends, ...(await load({ folder, record, config, design }, device)) };
}

type Described = Pick<OpenModel, 'folder' | 'record' | 'config' | 'design'>;

async function load(
  { folder, record, config, design: described }: Described,
  device: Device,
): Promise<Pick<OpenModel, 'design' | 'model' | 'leftOut'>> {
  let design = described;
  let model = design.build(device, undefined);
  if (await hasOwnHead(folder, model)) {
    model.dispose();
    design = designOf(folder, record, { ...config, tie_word_embeddings: false });
    model = design.build(device, undefined);
  }
  return { design, model, leftOut: await loadWeights(folder, model) };
}

function requireFit(folder: string, tokenizer: Tokenizer, design: CausalDesign): void {
  if (tokenizer.vocabularySize <= design.vocabSize) return;
  throw new SluiceError('checkpoint', {
    rule: `the tokenizer of ${folder} fits the model's vocabulary of ${design.vocabSize}`,
    received: tokenizer.vocabularySize,
    remedy: 'Its files belong to different models.',
  });
}

/**
 * As `open`, for a folder that must have a tokenizer.
 * @throws SluiceError as `open`; `filesystem` for a folder without tokenizer.json.
 */
export async function openRun(folder: string, device: Device, options: OpenOptions = {}): Promise<OpenRun> {
  const opened = await open(folder, device, options);
  try {
    return { ...opened, tokenizer: opened.tokenizer ?? (await loadTokenizer(opened.folder)) };
  } catch (error) {
    opened.model.dispose();
    throw error;
  }
}
