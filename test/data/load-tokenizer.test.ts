import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { trainBpe } from '../../src/data/bpe-trainer.js';
import { ByteTokenizer } from '../../src/data/byte-tokenizer.js';
import { CharTokenizer } from '../../src/data/char-tokenizer.js';
import { loadTokenizer, saveTokenizer } from '../../src/data/load-tokenizer.js';
import { piecesOf } from '../../src/data/pieces.js';
import { PretrainedTokenizer } from '../../src/data/pretrained-tokenizer.js';
import { failure, temporaryFolder } from './samples.js';

const folder = temporaryFolder();

test('every kind comes back from the two files it is saved in', async () => {
  const bpe = await trainBpe(piecesOf('the whale the whale'), { vocabularySize: 262 });
  const { 'tokenizer.json': json, 'tokenizer_config.json': config } = bpe.toFiles();
  const foreign = new PretrainedTokenizer({ ...json, normalizer: { type: 'NFC' } }, config);
  for (const tokenizer of [new CharTokenizer(['a', ' ', '長']), new ByteTokenizer(), bpe, foreign]) {
    const path = await folder.path(tokenizer.kind);
    await saveTokenizer(path, tokenizer);
    expect((await readdir(path)).sort()).toEqual(['tokenizer.json', 'tokenizer_config.json']);
    const loaded = await loadTokenizer(path);
    expect(loaded.kind).toBe(tokenizer.kind);
    expect(loaded.vocabularySize).toBe(tokenizer.vocabularySize);
    expect(loaded.encode('a 長a')).toEqual(tokenizer.encode('a 長a'));
  }
});

test('the files end with a newline, for people who look into them', async () => {
  const path = await folder.path('newline');
  await saveTokenizer(path, new ByteTokenizer());
  expect(await readFile(join(path, 'tokenizer.json'), 'utf8')).toMatch(/}\n$/);
});

test('a folder without tokenizer.json and a file that is not JSON are refused by name', async () => {
  const empty = await failure(loadTokenizer(await folder.path('nowhere')));
  expect(empty).toMatchObject({ code: 'filesystem' });
  expect(String(empty)).toMatch(/tokenizer\.json.*ENOENT/);
  const path = await folder.path('broken');
  await saveTokenizer(path, new ByteTokenizer());
  await folder.write('broken/tokenizer.json', '[1, 2');
  expect(await failure(loadTokenizer(path))).toMatchObject({ code: 'format' });
});
