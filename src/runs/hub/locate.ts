import { dirname } from 'node:path';
import { SluiceError } from '../../base/errors.js';
import { exists } from '../../formats/file-system.js';
import { snapshotOf } from './cache.js';
import { isModelName, modelName } from './names.js';
import { hubSettings } from './settings.js';

/**
 * The folder that a text names: itself where there is one, else that of a model of this name which `sluice pull` (or
 * Hugging Face's own tools) fetched. What can be neither is given back as it is.
 * @throws SluiceError `checkpoint` for what can only be the name of a model that was not fetched.
 */
export async function locateModel(text: string): Promise<string> {
  if (!isModelName(text) || (await exists(text))) return text;
  const snapshot = await snapshotOf(hubSettings().cache, modelName(text));
  if (snapshot !== undefined) return snapshot;
  // `runs/demo-7` beside other runs is a slip, no model.
  const isPath = !text.includes('/') || (await exists(dirname(text)));
  if (isPath && !text.includes('@')) return text;
  throw new SluiceError('checkpoint', {
    rule: 'a model is a folder, or was fetched from the hub',
    received: text,
    remedy: `Name a folder, or fetch it first: sluice pull ${text.split('@').join(' --revision ')}.`,
  });
}
