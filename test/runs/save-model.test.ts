import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { encodeFloats, type WeightDtype, weightDtypes } from '../../src/formats/float-encodings.js';
import { parseSafetensors } from '../../src/formats/safetensors.js';
import { encodeSafetensors } from '../../src/formats/safetensors-write.js';
import { open } from '../../src/runs/open-run.js';
import { saveModel } from '../../src/runs/save-model.js';
import { errorOf } from '../formats/make-safetensors.js';

const device = await openReference();
afterAll(() => device.close());

const golden = join(import.meta.dirname, '../golden/llama');
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-save-'));
});
afterEach(() => rm(folder, { recursive: true }));

const readTensors = async (path: string) => parseSafetensors(await readFile(join(path, 'model.safetensors')));

test.each([
  'float32',
  'bfloat16',
  'float16',
] as const)('weights in %s are written back byte for byte', async (dtype) => {
  const from = join(folder, 'from');
  await cp(golden, from, { recursive: true });
  const file = await readTensors(golden);
  const entries = file.names().map((name) => {
    const bytes = encodeFloats(file.readFloat32(name), dtype);
    return { name, dtype: weightDtypes[dtype as WeightDtype], shape: file.info(name).shape, bytes: () => bytes };
  });
  await writeFile(join(from, 'model.safetensors'), encodeSafetensors(entries));
  const opened = await open(from, device);
  const to = join(folder, 'to');
  await saveModel(opened, to, { dtype });
  opened.model.dispose();
  const [before, after] = [await readTensors(from), await readTensors(to)];
  expect(after.names().sort()).toEqual(before.names().sort());
  for (const name of before.names()) {
    expect(after.info(name)).toEqual(before.info(name));
    expect(Buffer.from(after.read(name)).equals(before.read(name)), name).toBe(true);
  }
});

test('what makes the folder a model goes along: config.json, generation, tokenizer', async () => {
  const from = join(folder, 'from');
  await cp(golden, from, { recursive: true });
  await writeFile(join(from, 'generation_config.json'), '{"eos_token_id":[2,3]}');
  await writeFile(join(from, 'chat_template.jinja'), '{{ messages }}');
  await writeFile(join(from, 'notes.json'), '{}');
  const opened = await open(from, device);
  const to = join(folder, 'to');
  await saveModel(opened, to, { dtype: 'bfloat16' });
  opened.model.dispose();
  const names = ['chat_template.jinja', 'config.json', 'generation_config.json', 'model.safetensors'];
  expect((await readdir(to)).sort()).toEqual(names);
  const config = JSON.parse(await readFile(join(to, 'config.json'), 'utf8')) as Record<string, unknown>;
  expect(config).toEqual({ ...opened.config, dtype: 'bfloat16', torch_dtype: 'bfloat16' });
  const again = await open(to, device);
  expect(again.endTokens).toEqual([2, 3]);
  again.model.dispose();
});

test('a folder that has a model is not written over', async () => {
  const from = join(folder, 'from');
  await cp(golden, from, { recursive: true });
  const opened = await open(from, device);
  expect((await errorOf(() => saveModel(opened, from))).message).toMatch(/beside where it was read/);
  const other = join(folder, 'other');
  await cp(golden, other, { recursive: true });
  expect((await errorOf(() => saveModel(opened, other))).message).toMatch(/does not write over config\.json/);
  opened.model.dispose();
});
