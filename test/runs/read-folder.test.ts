import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { encodeConfig } from '../../src/formats/hugging-face/config.js';
import { llamaConfig } from '../../src/models/llama.js';
import { readFolder } from '../../src/runs/read-folder.js';
import { errorOf } from '../formats/make-safetensors.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-read-folder-'));
});
afterEach(() => rm(folder, { recursive: true }));

const config = encodeConfig(llamaConfig({ vocabSize: 9, dim: 8, layers: 3, heads: 4, kvHeads: 2, context: 16 }));
const write = (json: object): Promise<void> => writeFile(join(folder, 'config.json'), JSON.stringify(json));

test('a folder without run.json is described by its config.json', async () => {
  await write(config);
  const { settings, feedForward } = await readFolder(folder);
  expect(settings).toMatchObject({ task: 'causal', model: 'llama', context: 16, dim: 8, layers: 3, heads: 4 });
  expect(settings).toMatchObject({ kvHeads: 2, hidden: config['intermediate_size'] });
  expect(feedForward).toMatchObject({ kind: 'gate', name: 'swiglu' });
});

test('a model type that is not known is refused with the nearest', async () => {
  await write({ ...config, model_type: 'lama' });
  const error = await errorOf(() => readFolder(folder));
  expect(error.code).toBe('name');
  expect(error.message).toMatch(/model_type in config\.json is one of .*received "lama".*Did you mean "llama"/);
});

test.each([undefined, null, 7, 'toString', '__proto__'])('the model type %j is refused', async (model_type) => {
  await write({ ...config, model_type });
  expect((await errorOf(() => readFolder(folder))).code).toBe('name');
});

test('a folder with neither run.json nor config.json holds no model', async () => {
  expect((await errorOf(() => readFolder(folder))).code).toBe('checkpoint');
});
