import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { asFileSystemError, systemErrorCode } from '../formats/file-system.js';
import { decodeJson } from '../formats/json-values.js';
import { runFiles } from './run-folder.js';

type Json = Readonly<Record<string, unknown>>;

/** How a model's folder says that its texts begin and end. */
export interface Ends {
  /** Each of these tokens ends a text; empty where the folder names none. */
  readonly endTokens: readonly number[];
  /** What begins a text. */
  readonly beginToken: number | undefined;
}

/**
 * The tokens that generation begins and ends with: generation_config.json's, else config.json's, as Transformers has it.
 * @throws SluiceError `format` for a token that is no whole number, or a generation_config.json that is no object.
 */
export async function readEnds(folder: string, config: Json, vocabSize: number): Promise<Ends> {
  const generation = await readGenerationConfig(join(folder, runFiles.generation));
  const tokens = (key: string): number[] => tokensOf(key, generation?.[key] ?? config[key], vocabSize);
  return { endTokens: tokens('eos_token_id'), beginToken: tokens('bos_token_id')[0] };
}

/** Undefined where there is none. */
async function readGenerationConfig(path: string): Promise<Json | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return undefined;
    throw asFileSystemError(error, `${path} must be readable`);
  }
  const value = decodeJson(text);
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  const remedy = 'Correct it, or delete it: config.json names the tokens, too.';
  throw new SluiceError('format', { rule: `${path} holds a JSON object`, received: text, remedy });
}

/** A number, a list of numbers, or nothing. What the vocabulary does not reach is never said: small models keep the tokens of large ones. */
function tokensOf(key: string, value: unknown, vocabSize: number): number[] {
  const listed: readonly unknown[] = Array.isArray(value)
    ? value
    : value === undefined || value === null
      ? []
      : [value];
  return listed.flatMap((token) => {
    if (typeof token === 'number' && Number.isInteger(token)) return token >= 0 && token < vocabSize ? [token] : [];
    throw new SluiceError('format', {
      rule: `${key} is the number of a token, or a list of them`,
      received: value,
      remedy: 'Correct generation_config.json and config.json, or leave it out there.',
    });
  });
}
