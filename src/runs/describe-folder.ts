import { join } from 'node:path';
import { count } from '../base/units.js';
import { loadTokenizer } from '../data/load-tokenizer.js';
import { exists } from '../formats/file-system.js';
import type { TensorReader } from '../formats/safetensors-file.js';
import { openSafetensors } from '../formats/safetensors-sharded.js';
import { readFolder } from './read-folder.js';
import { readJson, runFiles } from './run-folder.js';
import type { Facts } from './task.js';

/** Tensors that are alike in all layers, as one row: `layers.*.mlp.up_proj.weight`. */
export interface TensorRow {
  readonly name: string;
  readonly count: number;
  readonly dtype: string;
  readonly shape: readonly number[];
}

/** What a folder holds, as far as its headers and settings say it. */
export interface FolderDescription {
  readonly folder: string;
  readonly modelType: string;
  readonly task: string;
  readonly parameters: number;
  /** Of the weights on the disk. */
  readonly bytes: number;
  readonly vocabularySize: number | undefined;
  readonly facts: Facts;
  readonly tensors: readonly TensorRow[];
}

/**
 * Looks at a model's folder without reading its weights.
 * @throws SluiceError `checkpoint` for a folder that holds no model, `name` for a model type that we do not have, `format`.
 */
export async function describeFolder(folder: string): Promise<FolderDescription> {
  const record = await readFolder(folder);
  const config = await readJson(folder, runFiles.config);
  const tokenizer = (await exists(join(folder, 'tokenizer.json'))) ? await loadTokenizer(folder) : undefined;
  const weights = await openSafetensors(folder);
  const { tensors, parameters, bytes } = await Promise.resolve(weights)
    .then(summarize)
    .finally(() => weights.close());
  const modelType = String(config['model_type']);
  const architectures = Array.isArray(config['architectures']) ? config['architectures'].join(', ') : modelType;
  const { layers, dim, heads, kvHeads, hidden, context, task } = record.settings;
  const dtypes = [...new Set(tensors.map(({ dtype }) => dtype))].join(', ');
  const vocabularySize = tokenizer?.vocabularySize;
  const facts: Facts = [
    ['model', `${architectures}: ${layers} layers of ${dim}, ${heads} heads, ${kvHeads} for keys and values`],
    ['block', `${record.feedForward.name} of ${hidden}`],
    ['weights', `${count(parameters)} numbers, ${dtypes}, ${count(bytes)} bytes`],
    [
      'window',
      `${context} tokens, of ${config['max_position_embeddings'] ?? config['n_positions'] ?? context} positions`,
    ],
    ['tokens', vocabularySize === undefined ? 'no tokenizer.json' : `vocabulary ${vocabularySize}`],
  ];
  return { folder, modelType, task, parameters, bytes, vocabularySize, facts, tensors };
}

function summarize(weights: TensorReader): Pick<FolderDescription, 'tensors' | 'parameters' | 'bytes'> {
  const rows = new Map<string, TensorRow>();
  let [parameters, bytes] = [0, 0];
  for (const name of weights.names().sort()) {
    const { dtype, shape, byteLength } = weights.info(name);
    parameters += shape.reduce((product, size) => product * size, 1);
    bytes += byteLength;
    const collapsed = name.replaceAll(/\.\d+\./g, '.*.');
    const key = `${collapsed} ${dtype} ${shape.join()}`;
    rows.set(key, { name: collapsed, count: (rows.get(key)?.count ?? 0) + 1, dtype, shape });
  }
  return { tensors: [...rows.values()], parameters, bytes };
}
