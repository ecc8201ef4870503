import { copyFile, readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { checkChoice, completeOptions, type OptionTable } from '../base/options.js';
import { writeFileAtomically } from '../formats/durable.js';
import { underRule } from '../formats/file-system.js';
import { type WeightDtype, weightDtypes } from '../formats/float-encodings.js';
import { writeSafetensors } from '../formats/safetensors-write.js';
import { weightEntries } from '../formats/weights.js';
import type { OpenModel } from './open-run.js';
import { createRunFolder, runFiles } from './run-folder.js';

export interface SaveModelOptions {
  /** How the weights are written; as float32 by default. */
  readonly dtype?: WeightDtype;
}

const saveOptions = { dtype: 'float32' } satisfies OptionTable<SaveModelOptions>;

/** What belongs to a model beside its weights and config.json: tokenizer, generation, templates of chats. */
const companions =
  /^(generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$|\.jinja$|^(merges|vocab)\.txt$/;

/**
 * Writes a model as Hugging Face's libraries load it, into a folder without one: config.json as it was read, the
 * weights as they are now, a tensor at a time, and what else its folder had. config.json comes last, so that a folder
 * which was cut off is none.
 * @throws SluiceError `checkpoint` for a folder that has a model, `filesystem`, `name` for an unknown dtype.
 */
export async function saveModel(opened: OpenModel, folder: string, options: SaveModelOptions = {}): Promise<void> {
  const { dtype } = completeOptions('saveModel', options, saveOptions);
  checkChoice('the dtype of weights', dtype, Object.keys(weightDtypes));
  if (resolve(folder) === resolve(opened.folder)) {
    const remedy = 'Name another folder: the weights of this one may be open.';
    throw new SluiceError('checkpoint', {
      rule: 'a model is written beside where it was read',
      received: folder,
      remedy,
    });
  }
  await createRunFolder(folder, '');
  const names = await underRule(`${opened.folder} must be readable`, () => readdir(opened.folder));
  await underRule(`${folder} must be writable`, async () => {
    for (const name of names.filter((one) => companions.test(one))) {
      await copyFile(join(opened.folder, name), join(folder, name));
    }
  });
  const entries = weightEntries(opened.model, dtype);
  await writeFileAtomically(join(folder, runFiles.weights), (sink) => writeSafetensors(sink, entries));
  const { torch_dtype: _, ...config } = opened.config;
  const isTied = !entries.some(({ name }) => /(^|\.)lm_head\.weight$/.test(name));
  const now = {
    ...config,
    ...(isTied ? {} : { tie_word_embeddings: false }),
    dtype,
  };
  // Older versions of Transformers read the second name.
  const text = JSON.stringify({ ...now, torch_dtype: dtype }, null, 2);
  await writeFileAtomically(join(folder, runFiles.config), `${text}\n`);
}
