import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { CharTokenizer } from '../../src/data/char-tokenizer.js';
import { saveTokenizer } from '../../src/data/load-tokenizer.js';
import { MarkedTokenizer } from '../../src/data/marked-tokenizer.js';
import { openReference } from '../../src/devices/reference/index.js';
import { parseSafetensors } from '../../src/formats/safetensors.js';
import { encodeSafetensors, float32Entry } from '../../src/formats/safetensors-write.js';
import { openEncoder } from '../../src/runs/open-encoder.js';
import { readFolder } from '../../src/runs/read-folder.js';

const golden = join(import.meta.dirname, '../golden/bert-texts');
const device = await openReference();
const folder = await mkdtemp(join(tmpdir(), 'sluice-encoder-'));
afterAll(async () => {
  await device.close();
  await rm(folder, { recursive: true });
});

/** The golden BERT as one without a head. */
async function headless(keeps: (name: string) => boolean): Promise<void> {
  await cp(golden, folder, { recursive: true });
  const config = JSON.parse(await readFile(join(golden, 'config.json'), 'utf8')) as Record<string, unknown>;
  await writeFile(join(folder, 'config.json'), JSON.stringify({ ...config, architectures: ['BertModel'] }));
  const file = parseSafetensors(await readFile(join(golden, 'model.safetensors')));
  const names = file.names().filter((name) => !name.startsWith('classifier') && keeps(name));
  const entries = names.map((name) =>
    float32Entry(name.replace(/^bert\./, ''), file.info(name).shape, file.readFloat32(name)),
  );
  await writeFile(join(folder, 'model.safetensors'), encodeSafetensors(entries));
  await saveTokenizer(folder, new MarkedTokenizer(new CharTokenizer([...'abcdefgh'])));
}

test.each([
  ['with', true],
  ['without', false],
])('a BERT without a head is opened %s its pooler, as its weights have it', async (_, isPooled) => {
  await headless((name) => isPooled || !name.includes('pooler'));
  const { model, design } = await openEncoder(folder, await readFolder(folder), device);
  expect(design.head).toBe('none');
  expect(model.namedParameters().some(({ name }) => name.includes('pooler'))).toBe(isPooled);
  model.dispose();
});
