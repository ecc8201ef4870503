import { SluiceError } from '../base/errors.js';
import { type Examples, offsetsOf } from './examples.js';
import { columnOf, isMissing, type Table } from './table.js';
import { type TableEncoding, wordIndex } from './table-encoding.js';
import type { Tokenizer } from './tokenizer.js';

/**
 * Texts with a class each, as sequences of tokens: the first ones of a text that is longer than the longest.
 * @throws SluiceError `data` with file and line for an empty text, or a class that training did not see.
 */
export function encodeTexts(table: Table, { inputs, target, sequence }: TableEncoding, tokenizer: Tokenizer): Examples {
  const [text] = inputs;
  const at = columnOf(table, text?.name ?? '');
  const targetAt = columnOf(table, target.name);
  const sequences = table.rows.map(({ line, cells }) => {
    const ids = encodeLine(`line ${line} of ${table.path}`, cells[at] ?? '', tokenizer);
    if (ids.length > 0) return ids.slice(0, sequence?.longest);
    throw new SluiceError('data', {
      rule: `line ${line} of ${table.path} has a text`,
      received: cells[at] ?? '',
      remedy: 'Leave the line out.',
    });
  });
  const offsets = offsetsOf(sequences.map(({ length }) => length));
  const tokens = new Float32Array(offsets.at(-1) ?? 0);
  sequences.forEach((ids, i) => {
    tokens.set(ids, offsets[i]);
  });
  const targets = Int32Array.from(table.rows, ({ line, cells }) => {
    const cell = cells[targetAt] ?? '';
    if (target.kind === 'words' && !isMissing(cell)) return wordIndex(table.path, line, target, cell);
    throw new SluiceError('data', {
      rule: `line ${line} of ${table.path} has a class in ${target.name}`,
      received: cell,
      remedy: 'Leave the line out.',
    });
  });
  return { count: sequences.length, width: 1, inputs: tokens, offsets, targets };
}

/** What the tokenizer cannot take is told with its line. */
function encodeLine(place: string, text: string, tokenizer: Tokenizer): ReturnType<Tokenizer['encode']> {
  try {
    return tokenizer.encode(text);
  } catch (cause) {
    if (!(cause instanceof SluiceError)) throw cause;
    const { rule, received, remedy = 'Leave the line out.' } = cause;
    throw new SluiceError('data', { rule: `${place}: ${rule}`, received, remedy, cause });
  }
}

/** Lines of JSON, each with the named fields, as a table. @throws SluiceError `data` with file and line. */
export function tableOfLines(path: string, text: string, columns: readonly string[]): Table {
  const rows = text.split('\n').flatMap((source, i) => {
    if (source.trim() === '') return [];
    return [{ line: i + 1, cells: cellsOf(`line ${i + 1} of ${path}`, source, columns) }];
  });
  return { path, columns, rows };
}

function cellsOf(place: string, source: string, columns: readonly string[]): string[] {
  const example = `{${columns.map((name) => `"${name}": "..."`).join(', ')}}`;
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch (cause) {
    const remedy = `It is like ${example}.`;
    throw new SluiceError('data', { rule: `${place} is JSON`, received: source, remedy, cause });
  }
  return columns.map((name) => {
    const cell: unknown = typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
    if (typeof cell === 'string' || typeof cell === 'number' || typeof cell === 'boolean') return String(cell);
    throw new SluiceError('data', {
      rule: `${place} has "${name}"`,
      received: source,
      remedy: `It is like ${example}.`,
    });
  });
}
