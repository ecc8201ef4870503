import { SluiceError } from '../base/errors.js';
import { loadTokenizer } from '../data/load-tokenizer.js';
import { type Marks, marksOf } from '../data/marks.js';
import type { Tokenizer } from '../data/tokenizer.js';
import type { Device } from '../devices/device.js';
import type { Encoder } from '../models/encoder.js';
import { loadWeights, weightNames } from './checkpointing.js';
import { formulaOf, type OpenOptions } from './open-run.js';
import { type RunRecord, readJson, runFiles } from './run-folder.js';
import { type EncoderDesign, encoderNamed } from './tasks/encoder-types.js';

/** An encoder with what it needs to be used. */
export interface OpenEncoder {
  readonly folder: string;
  readonly record: RunRecord;
  readonly design: EncoderDesign;
  readonly model: Encoder;
  readonly tokenizer: Tokenizer;
  readonly marks: Marks;
}

/** The encoder's shape and the block's formula, from a folder's files. @throws SluiceError `checkpoint`, `format`, `name`. */
export async function readEncoderDesign(folder: string, record: RunRecord): Promise<EncoderDesign> {
  const config = await readJson(folder, runFiles.config);
  const type = encoderNamed(record.settings.model);
  const formula = formulaOf(folder, record);
  const design = type.decode(config, formula);
  if (design.head !== 'none') return design;
  const names = await weightNames(folder);
  const isPooled = names.some((name) => /(^|\.)pooler\.dense\.weight$/.test(name));
  return isPooled ? design : type.decode({ ...config, add_pooling_layer: false }, formula);
}

/** @throws SluiceError `checkpoint` for a folder whose files do not fit together. */
export async function openEncoder(
  folder: string,
  record: RunRecord,
  device: Device,
  { atInit = false }: OpenOptions = {},
): Promise<OpenEncoder> {
  const design = await readEncoderDesign(folder, record);
  const tokenizer = await loadTokenizer(folder);
  if (tokenizer.vocabularySize > design.vocabSize) {
    throw new SluiceError('checkpoint', {
      rule: `the tokenizer of ${folder} fits the model's vocabulary of ${design.vocabSize}`,
      received: tokenizer.vocabularySize,
      remedy: 'Its files belong to different models.',
    });
  }
  const marks = marksOf(tokenizer);
  const model = design.build(device, atInit ? record.settings.seed : undefined);
  if (!atInit) await loadWeights(folder, model);
  return { folder, record, design, model, tokenizer, marks };
}
