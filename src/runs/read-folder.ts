import { join } from 'node:path';
import { exists } from '../formats/file-system.js';
import { folderTypeNamed } from './folder-types.js';
import { type RunRecord, readJson, readRecord, runFiles } from './run-folder.js';
import { defaults, type Settings } from './settings.js';

type Json = Readonly<Record<string, unknown>>;

/** Of a model with more positions: what its logits take grows with the window, and few texts fill it. */
const longestWindow = 1024;

/**
 * The record of a run, or, of a folder without run.json, such as one from the Hugging Face hub, what run.json would say.
 * @throws SluiceError `checkpoint` for a folder that holds no model, `name` for a model type that we do not have,
 * `format` for a config.json with an impossible value.
 */
export async function readFolder(folder: string): Promise<RunRecord> {
  const run = await readRunOrNothing(folder);
  if (run !== undefined) return run;
  const config = await readJson(folder, runFiles.config);
  const { settings, formula } = folderTypeNamed(config['model_type']).describe(config);
  const context = Math.min(longestWindow, settings.context ?? defaults.context);
  return {
    formatVersion: 1,
    settings: { ...defaults, minLr: defaults.lr / 10, ...sizesOf(config), ...settings, context, data: folder },
    feedForward: formula.toJSON(),
    versions: {},
  };
}

/** The record of a run; undefined of a folder that has config.json alone. @throws SluiceError `checkpoint`. */
export async function readRunOrNothing(folder: string): Promise<RunRecord | undefined> {
  const has = (file: string): Promise<boolean> => exists(join(folder, file));
  const isForeign = !(await has(runFiles.record)) && (await has(runFiles.config));
  return isForeign ? undefined : readRecord(folder);
}

/** Sizes in the words of our settings, in any spelling; where config.json has none, our defaults. */
function sizesOf(config: Json): Pick<Settings, 'dim' | 'layers' | 'heads' | 'kvHeads' | 'hidden'> {
  const first = (keys: readonly string[], fallback: number): number => {
    const found = keys.map((key) => config[key]).find((value) => typeof value === 'number');
    return typeof found === 'number' ? found : fallback;
  };
  const dim = first(['hidden_size', 'n_embd'], defaults.dim);
  const heads = first(['num_attention_heads', 'n_head'], defaults.heads);
  return {
    ...{ dim, heads },
    layers: first(['num_hidden_layers', 'n_layer'], defaults.layers),
    kvHeads: first(['num_key_value_heads'], heads),
    hidden: first(['intermediate_size', 'n_inner'], 4 * dim),
  };
}
