import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { writeFileAtomically } from '../formats/durable.js';
import { isObject, type Json, type JsonObject } from './json.js';
import type { Tokenizer } from './tokenizer.js';
import { tokenizerFromFiles } from './tokenizer-files.js';

/**
 * Reads the tokenizer of a folder: `tokenizer.json` and, where it is there, `tokenizer_config.json`.
 * Errors: 'filesystem' (no such file), 'format' (not JSON, or not a tokenizer).
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const tokenizer = await readJson(join(folder, 'tokenizer.json'));
  const config = await readJson(join(folder, 'tokenizer_config.json'), {});
  return tokenizerFromFiles({ 'tokenizer.json': tokenizer, 'tokenizer_config.json': config });
}

/** Writes both files of a tokenizer into a folder, which is made where needed. */
export async function saveTokenizer(folder: string, tokenizer: Tokenizer): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(tokenizer.toFiles())) {
    await writeFileAtomically(join(folder, name), `${JSON.stringify(content, null, 2)}\n`);
  }
}

async function readJson(path: string, missing?: JsonObject): Promise<JsonObject> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined;
    if (missing !== undefined && code === 'ENOENT') return missing;
    throw new SluiceError('filesystem', {
      rule: `A tokenizer must be in ${path}`,
      received: code ?? cause,
      remedy: 'Name a folder that holds tokenizer.json.',
      cause,
    });
  }
  try {
    const parsed = JSON.parse(text) as Json;
    if (isObject(parsed)) return parsed;
  } catch {
    // Said below.
  }
  throw new SluiceError('format', {
    rule: `${path} must hold a JSON object`,
    received: text.slice(0, 60),
    remedy: 'Fetch or write the file anew.',
  });
}
