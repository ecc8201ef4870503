import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { plural } from '../base/plural.js';
import type { Examples } from './examples.js';
import {
  cellError,
  columnOf,
  isDate,
  isMeantAsNumber,
  isMissing,
  isNumber,
  numberIn,
  type Table,
  type TableRow,
} from './table.js';

/** A column of numbers, given to a model as (value - mean) / deviation. */
export interface NumberColumn {
  readonly kind: 'number';
  readonly name: string;
  readonly mean: number;
  readonly deviation: number;
}

/** A column of words, given to a model as a 1 for its word and a 0 for each of the others. */
export interface WordColumn {
  readonly kind: 'words';
  readonly name: string;
  readonly words: readonly string[];
}

/** A column of text, given to a model as tokens. */
export interface TextColumn {
  readonly kind: 'text';
  readonly name: string;
  readonly vocabularySize: number;
}

export type Column = NumberColumn | WordColumn;

/**
 * What becomes of a missing value: an error, the column's mean (of words: none of them), the row is left out, or, of a
 * series, the value before it stands in.
 */
export const missingPolicies = ['refuse', 'mean', 'drop', 'previous'] as const;
export type MissingPolicy = (typeof missingPolicies)[number];

/** How the rows of a table become examples; found from the rows that are learned from. */
export interface TableEncoding {
  /** Numbers and words, or one column of text. */
  readonly inputs: readonly (Column | TextColumn)[];
  /** Words are the classes of a classification, a number the value of a regression. */
  readonly target: Column;
  readonly missing: MissingPolicy;
  /** Of examples that are sequences. */
  readonly sequence?: SequenceShape;
}

/** How sequences and what is to be said of them look. */
export interface SequenceShape {
  /** Steps of the longest; a longer text is cut. */
  readonly longest: number;
  /** Targets of a sequence: classes are said at its last steps, values all at its end. */
  readonly targets: number;
  /** Of a series, whose first input is its target. */
  readonly series?: {
    /** Steps after which it repeats, where it does. */
    readonly season?: number;
    /** The first row that is held out, from 0 on. */
    readonly heldOutFrom: number;
  };
}

/**
 * More words than this in a column are names or sentences, which say nothing of another row; so are those that fewer than
 * two rows share, unless there are but a few.
 */
const mostWords = (rows: number): number => Math.min(100, Math.max(10, Math.floor(rows / 2)));
/** More different numbers than this are values, not classes. */
const mostNumberClasses = 20;

export interface TableChoice {
  /** The column to predict; the last by default. */
  readonly target?: string | undefined;
  /** The columns to predict it from; all others by default. */
  readonly inputs?: readonly string[] | undefined;
  readonly missing: MissingPolicy;
  /** Whether the target is a class or a value; by default a class where it is words or few whole numbers. */
  readonly kind?: 'classes' | 'values' | undefined;
}

/**
 * The rows that have what the choice needs.
 * @param use whether a missing value can still be provided for: what a model is asked about follows how it was trained.
 * @throws SluiceError `data` for a missing value that is refused.
 */
export function completeRows(
  table: Table,
  columns: readonly string[],
  target: string,
  missing: MissingPolicy,
  use: 'learned' | 'asked' = 'learned',
): TableRow[] {
  const places = columns.map((name) => [name, columnOf(table, name)] as const);
  return table.rows.filter(({ line, cells }) => {
    const hole = places.find(([name, i]) => isMissing(cells[i] ?? '') && (missing !== 'mean' || name === target));
    if (hole === undefined) return true;
    if (missing === 'drop') return false;
    const [column, i] = hole;
    throw cellError(
      { path: table.path, line, column },
      'has a value',
      cells[i] ?? '',
      holeRemedy(column === target, use),
    );
  });
}

function holeRemedy(isTarget: boolean, use: 'learned' | 'asked'): string {
  if (use === 'asked') {
    return 'The model was trained without gaps: fill the value in, leave the row out, or train anew with --missing mean.';
  }
  if (isTarget) return 'What is to be predicted cannot be filled in: use --missing drop to leave such rows out.';
  return 'Use --missing mean to fill it in, or --missing drop to leave such rows out.';
}

/** Rows and columns that a choice comes to. */
export interface ChosenTable {
  readonly table: Table;
  readonly target: string;
  readonly inputs: readonly string[];
  readonly isClasses: boolean;
}

/** @throws SluiceError `data` with file and line for a missing column or value, or a class with one example. */
export function chooseColumns(whole: Table, choice: TableChoice): ChosenTable {
  const target = choice.target ?? whole.columns.at(-1) ?? '';
  columnOf(whole, target);
  const inputs = choice.inputs ?? whole.columns.filter((name) => name !== target);
  if (inputs.length === 0 || inputs.includes(target)) {
    throw new SluiceError('data', {
      rule: `${whole.path} has columns to predict ${target} from`,
      received: inputs,
      remedy: 'Name other columns with --inputs.',
    });
  }
  const rows = completeRows(whole, [...inputs, target], target, choice.missing);
  const table = { ...whole, rows };
  const at = columnOf(whole, target);
  const isClasses = choice.kind === undefined ? looksLikeClasses(rows, at) : choice.kind === 'classes';
  if (isClasses) requirePairs(table, target, at);
  return { table, target, inputs, isClasses };
}

function looksLikeClasses(rows: readonly TableRow[], at: number): boolean {
  const words = new Set(rows.map(({ cells }) => (cells[at] ?? '').trim()));
  const numbers = [...words].filter(isMeantAsNumber);
  if (2 * numbers.length <= words.size) return true;
  return (
    words.size <= mostNumberClasses &&
    numbers.length === words.size &&
    numbers.every((word) => Number.isInteger(Number(word)))
  );
}

function requirePairs({ path, rows }: Table, target: string, at: number): void {
  const places = new Map<string, number[]>();
  for (const { line, cells } of rows) {
    const word = (cells[at] ?? '').trim();
    places.set(word, [...(places.get(word) ?? []), line].slice(0, 2));
  }
  for (const [word, [line = 0, other]] of places) {
    if (other !== undefined) continue;
    const remedy = 'One must be learned from and one held out: add examples of it, or leave the row out.';
    throw cellError({ path, line, column: target }, 'is of a class with two examples or more', word, remedy);
  }
  if (places.size >= 2) return;
  throw new SluiceError('data', {
    rule: `${target} of ${path} has two classes or more`,
    received: [...places.keys()],
    remedy: 'Name another column with --target.',
  });
}

/** Finds how to encode a table; `learned` are the rows that means and deviations may come from. */
export function fitEncoding(
  { table, target, inputs, isClasses }: ChosenTable,
  learned: Int32Array,
  missing: MissingPolicy,
): TableEncoding {
  const training = Array.from(learned, (i) => table.rows[i]).filter((row) => row !== undefined);
  return {
    inputs: inputs.map((name) => inputColumn(table, name, training)),
    target: isClasses ? wordColumn(target, wordsOf(table, target)) : numberColumn(table, target, training),
    missing,
  };
}

function inputColumn(table: Table, name: string, training: readonly TableRow[]): Column {
  const at = columnOf(table, name);
  const cells = table.rows.flatMap(({ cells }) => (isMissing(cells[at] ?? '') ? [] : [cells[at] ?? '']));
  if (cells.length === 0) {
    throw new SluiceError('data', {
      rule: `${name} of ${table.path} has a value in some row`,
      received: `${plural(table.rows.length, 'row')} without one`,
      remedy: 'Leave the column out by naming the others with --inputs.',
    });
  }
  // A column of mostly numbers is one of numbers in which the others are mistakes.
  const isMostly = (kind: (cell: string) => boolean): boolean => 2 * cells.filter(kind).length > cells.length;
  if (isMostly(isMeantAsNumber)) return numberColumn(table, name, training);
  const words = wordsOf(table, name);
  if (isMostly(isDate)) {
    throw new SluiceError('data', {
      rule: `${name} of ${table.path} has numbers or words that rows share`,
      received: `dates such as ${words[0]}`,
      remedy:
        'Leave it out by naming the others with --inputs, or give what matters of it (month, weekday) as columns.',
    });
  }
  const most = mostWords(cells.length);
  if (words.length > most) {
    throw new SluiceError('data', {
      rule: `${name} of ${table.path} has at most ${most} different words in ${plural(cells.length, 'row')}`,
      received: words.length,
      remedy: isMostly((cell) => /\S\s+\S+\s+\S/.test(cell))
        ? `They look like texts: use --task text --data FILE --inputs ${name}, or leave it out by naming the others.`
        : 'It tells rows apart, not classes: leave it out by naming the others with --inputs.',
    });
  }
  return wordColumn(name, words);
}

/** The words of a column in their order: by number, or by the alphabet. */
export function wordsOf(table: Table, name: string): string[] {
  const at = columnOf(table, name);
  const words = new Set(table.rows.map(({ cells }) => (cells[at] ?? '').trim()).filter((word) => !isMissing(word)));
  const all = [...words];
  return all.every(isNumber) ? all.sort((a, b) => Number(a) - Number(b)) : all.sort();
}

const wordColumn = (name: string, words: readonly string[]): WordColumn => ({ kind: 'words', name, words });

/** The numbers of a column; NaN where one is missing. @throws SluiceError `data` with file and line for a cell that is none. */
export function numbersOf(table: Table, name: string): number[] {
  const at = columnOf(table, name);
  return table.rows.map(({ line, cells }) => {
    requireNumber(table.path, line, name, cells[at] ?? '');
    return numberIn(cells[at] ?? '');
  });
}

/** A column of numbers by the mean and deviation of `training`. @throws SluiceError `data` for a cell that is no number. */
export function numberColumn(table: Table, name: string, training: readonly TableRow[]): NumberColumn {
  const at = columnOf(table, name);
  for (const { line, cells } of table.rows) requireNumber(table.path, line, name, cells[at] ?? '');
  const values = training
    .map(({ cells }) => cells[at] ?? '')
    .filter((cell) => !isMissing(cell))
    .map(numberIn);
  const mean = values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / Math.max(1, values.length);
  return { kind: 'number', name, mean, deviation: Math.sqrt(variance) || 1 };
}

function requireNumber(path: string, line: number, column: string, cell: string): void {
  if (isMissing(cell) || isNumber(cell)) return;
  const remedy = isMeantAsNumber(cell)
    ? 'Write it with a decimal point, without separators or signs: 1234.5.'
    : 'Correct the cell, or leave it empty where the value is missing.';
  throw cellError({ path, line, column }, 'is a number', cell, remedy);
}

const widthOf = (column: Column | TextColumn): number => (column.kind === 'words' ? column.words.length : 1);

/** How many numbers an example has. */
export const encodedWidth = ({ inputs }: TableEncoding): number =>
  inputs.reduce((sum, column) => sum + widthOf(column), 0);

/**
 * The rows of a table as examples.
 * @throws SluiceError `data` with file and line for a missing column or value, a cell that is no number, a word or a
 * class that training did not see.
 */
export function encodeTable(whole: Table, encoding: TableEncoding): Examples {
  const { inputs, target, missing } = encoding;
  const names = inputs.map(({ name }) => name);
  const rows = completeRows(whole, [...names, target.name], target.name, missing);
  if (rows.length === 0) {
    const received = `${plural(whole.rows.length, 'row')}, each with a missing value`;
    throw new SluiceError('data', { rule: `${whole.path} has a whole row`, received, remedy: 'Use --missing mean.' });
  }
  const columns = inputs.flatMap((column) =>
    column.kind === 'text' ? [] : [{ column, at: columnOf(whole, column.name) }],
  );
  const targetAt = columnOf(whole, target.name);
  const width = encodedWidth(encoding);
  const values = new Float32Array(rows.length * width);
  const targets = target.kind === 'words' ? new Int32Array(rows.length) : new Float32Array(rows.length);
  rows.forEach(({ line, cells }, row) => {
    let place = row * width;
    const write = (column: Column, cell: string, into: Float32Array, start: number): void => {
      if (column.kind === 'words') {
        if (!isMissing(cell)) into[start + wordIndex(whole.path, line, column, cell)] = 1;
        return;
      }
      requireNumber(whole.path, line, column.name, cell);
      into[start] = isMissing(cell) ? 0 : (numberIn(cell) - column.mean) / column.deviation;
    };
    for (const { column, at } of columns) {
      write(column, cells[at] ?? '', values, place);
      place += widthOf(column);
    }
    const cell = cells[targetAt] ?? '';
    if (target.kind === 'words') targets[row] = wordIndex(whole.path, line, target, cell);
    else write(target, cell, targets as Float32Array, row);
  });
  return { count: rows.length, width, inputs: values, targets };
}

export function wordIndex(path: string, line: number, { name, words }: WordColumn, cell: string): number {
  const index = words.indexOf(cell.trim());
  if (index >= 0) return index;
  const remedy = didYouMean(cell, words, 'Leave the row out, or train anew with examples of it.');
  throw cellError({ path, line, column: name }, `is one of the ${words.length} that training saw`, cell, remedy);
}
