import { readFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { CsvError, parse } from 'csv-parse/sync';
import { SluiceError } from '../base/errors.js';
import { checkTable, type Table, type TableRow } from '../data/table.js';
import { underRule } from '../formats/file-system.js';

/** Reads a table whose first line names the columns, and which has `least` rows below. @throws SluiceError `data` with file and line. */
export async function readTable(path: string, least = 2): Promise<Table> {
  const text = await readUtf8(path);
  const [first = ''] = text.split(/\r?\n/, 1);
  const delimiter = separatorOf(path, first);
  const all: TableRow[] = [];
  try {
    parse(text, {
      delimiter,
      relaxColumnCount: true,
      skipEmptyLines: true,
      trim: true,
      onRecord: (cells: string[], { lines }: { lines: number }) => {
        all.push({ line: lines, cells });
        return null;
      },
    });
  } catch (cause) {
    if (!(cause instanceof CsvError)) throw cause;
    throw new SluiceError('data', {
      rule: `line ${Number(cause['lines'] ?? 0)} of ${path} is a row of a table`,
      received: cause.message,
      remedy: 'Double the quotes within a quoted cell, and close those around it.',
      cause,
    });
  }
  const [head, ...rows] = all;
  const table = { path, columns: head?.cells ?? [], rows };
  checkTable(table, least);
  return table;
}

/** A tab in .tsv; else what the first line has most of. */
function separatorOf(path: string, first: string): string {
  if (extname(path).toLowerCase() === '.tsv') return '\t';
  const counts = [',', ';', '\t'].map((separator) => ({ separator, count: first.split(separator).length }));
  return counts.reduce((most, next) => (next.count > most.count ? next : most)).separator;
}

/** @throws SluiceError `data` for a file that is not there or not UTF-8. */
export async function readUtf8(path: string): Promise<string> {
  const bytes = await underRule(`${path} must be a file that can be read`, () => readFile(path));
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    const remedy = 'Save it as UTF-8.';
    throw new SluiceError('data', { rule: `${path} is UTF-8 text`, received: 'bytes that are not', remedy, cause });
  }
}
