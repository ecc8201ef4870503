import { readFile } from 'node:fs/promises';
import { type Cell, catalogueCells } from '../../activations/cells.js';
import type { Formula } from '../../activations/kinds.js';
import { formulaWith } from '../../activations/parameters.js';
import { SluiceError } from '../../base/errors.js';
import { plainName } from '../../base/nearest.js';
import { asUsage, UsageError } from '../usage.js';

/**
 * A formula of the catalogue by name or alias, or an activation by its text in x and the parameters that are given a
 * value; a learned one is learned from its value on.
 */
export const formulaOf = (text: string, parameters: readonly string[] = []): Formula =>
  asUsage(() => formulaWith(text, parameters));

/** A recurrent cell of that name; a cell has no parameters. */
export function cellOf(name: string, parameters: readonly string[] = []): Cell | undefined {
  const found = catalogueCells().find((cell) => cell.name === plainName(name));
  const [first] = parameters;
  if (found === undefined || first === undefined) return found;
  throw new UsageError(
    new SluiceError('argument', {
      rule: `${found.name} has no parameters of its own`,
      received: `--param ${first}`,
      remedy: 'Leave it out: its activations are chosen where it is used.',
    }),
  );
}

export interface NumberList {
  /** One list, or for rows perhaps several. */
  readonly rows: readonly (readonly number[])[];
  /** Whether several lists were given. */
  readonly nested: boolean;
}

/** `-1,0,2`, or `@file.json` with an array of numbers (or of such arrays); rounded to float32. */
export async function readNumbers(text: string, flag: string): Promise<NumberList> {
  const items: unknown = text.startsWith('@')
    ? await readJson(text.slice(1), flag)
    : text.split(',').map((item) => item.trim());
  if (!Array.isArray(items)) throw notNumbers(flag, items);
  const nested = items.length > 0 && items.every((item) => Array.isArray(item));
  const rows: readonly unknown[][] = nested ? items : [items];
  return { rows: rows.map((row) => row.map((item) => toNumber(item, flag))), nested };
}

const words: Readonly<Record<string, number>> = {
  nan: Number.NaN,
  infinity: Number.POSITIVE_INFINITY,
  inf: Number.POSITIVE_INFINITY,
};

function toNumber(item: unknown, flag: string): number {
  if (typeof item === 'number') return Math.fround(item);
  if (typeof item !== 'string' || item.trim() === '') throw notNumbers(flag, item);
  const [, sign = '', word = ''] = /^\s*([-+]?)([A-Za-z]+)\s*$/.exec(item) ?? [];
  const size = Object.hasOwn(words, word.toLowerCase()) ? words[word.toLowerCase()] : undefined;
  if (size !== undefined) return sign === '-' ? -size : size;
  const value = Number(item);
  if (Number.isNaN(value)) throw notNumbers(flag, item);
  return Math.fround(value);
}

const notNumbers = (flag: string, received: unknown): UsageError =>
  new UsageError(
    new SluiceError('argument', {
      rule: `${flag} is a list of numbers`,
      received,
      remedy: `For example ${flag}=-1,0,2, or ${flag}=@file.json; NaN, Infinity and -0 are numbers too.`,
    }),
  );

async function readJson(path: string, flag: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    const remedy = 'Check the path.';
    throw new SluiceError('filesystem', { rule: `the file of ${flag} can be read`, received: path, remedy, cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : cause;
    const remedy = 'It holds an array of numbers; "NaN", "Infinity", "-Infinity" and "-0" are strings.';
    throw new SluiceError('data', { rule: `${path} is JSON`, received: reason, remedy, cause });
  }
}
