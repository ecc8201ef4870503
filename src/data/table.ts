import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { plural } from '../base/plural.js';

/** Cells as they stand in a file. */
export interface Table {
  /** The file, as errors call it. */
  readonly path: string;
  readonly columns: readonly string[];
  readonly rows: readonly TableRow[];
}

export interface TableRow {
  /** Its line in the file, from 1 on. */
  readonly line: number;
  readonly cells: readonly string[];
}

/** What stands for a value that is not there; case does not count. */
const missingTexts: ReadonlySet<string> = new Set(['', 'na', 'n/a', 'nan', 'null', 'none', '?']);
export const isMissing = (cell: string): boolean => missingTexts.has(cell.trim().toLowerCase());

/** The number that a cell says, or NaN; not 0x10, nor an empty cell. */
export const numberIn = (cell: string): number =>
  /^\s*[-+]?(\d|\.\d)/.test(cell) && !/0x/i.test(cell) ? Number(cell) : Number.NaN;

export const isNumber = (cell: string): boolean => Number.isFinite(numberIn(cell));

/** 2024-05-31, 31.5.24, 5/31/2024, with or without a time behind it. */
export const isDate = (cell: string): boolean => /^\s*\d{1,4}([-/.])\d{1,2}\1\d{1,4}(?!\d)/.test(cell);

/** A number, or one written with a decimal comma, separators of thousands, or a sign for percent or money. */
export const isMeantAsNumber = (cell: string): boolean =>
  isNumber(cell) || (!isDate(cell) && /^\s*[-+]?[$€£]?\s?\d[\d.,'\u00a0 ]*[%$€£]?\s*$/.test(cell));

/**
 * Holds that each row has a cell for each column, and each column a name of its own.
 * @param least so many rows: two to learn from one of them and be judged by the other
 * @throws SluiceError `data` with file and line.
 */
export function checkTable({ path, columns, rows }: Table, least: 1 | 2): void {
  const refuse = (line: number, rule: string, received: unknown, remedy: string): never => {
    throw new SluiceError('data', { rule: `line ${line} of ${path} ${rule}`, received, remedy });
  };
  // A year may name a column, a fraction does not.
  const isRow = columns.every(isNumber) || columns.some((name) => isNumber(name) && !/^\s*\d+\s*$/.test(name));
  if (columns.length > 0 && isRow) {
    refuse(1, 'names the columns', columns, 'Add a first line such as x,y,label.');
  }
  columns.forEach((name, i) => {
    if (name.trim() === '') refuse(1, 'names every column', `none for column ${i + 1}`, 'Give it a name.');
    if (columns.indexOf(name) !== i) refuse(1, 'names each column differently', name, 'Rename one of them.');
  });
  for (const { line, cells } of rows) {
    if (cells.length === columns.length) continue;
    const remedy = `The first line names ${plural(columns.length, 'column')}. Quote cells that hold the separator.`;
    refuse(line, `has ${plural(columns.length, 'cell')}`, plural(cells.length, 'cell'), remedy);
  }
  if (rows.length < least) {
    throw new SluiceError('data', {
      rule: `${path} has rows below its first line`,
      received: plural(rows.length, 'row'),
      remedy: `A row is an example: give ${least === 1 ? 'one' : 'two'} or more.`,
    });
  }
}

/** The place of a column. @throws SluiceError `data` that suggests the nearest name. */
export function columnOf({ path, columns }: Pick<Table, 'path' | 'columns'>, name: string): number {
  const index = columns.indexOf(name);
  if (index >= 0) return index;
  throw new SluiceError('data', {
    rule: `line 1 of ${path} names the column ${JSON.stringify(name)}`,
    received: columns,
    remedy: didYouMean(name, columns, 'Add the column, or name another one.'),
  });
}

/** A cell where it stands, for errors. */
export interface Place {
  readonly path: string;
  readonly line: number;
  readonly column: string;
}

export function cellError({ path, line, column }: Place, rule: string, received: string, remedy: string): SluiceError {
  return new SluiceError('data', { rule: `line ${line} of ${path}: ${column} ${rule}`, received, remedy });
}
