import { styleText } from 'node:util';
import { brief } from '../experiments/brief.js';
import type { Terminal } from './terminal.js';

export { brief };

/** JSON in one line; what JSON cannot write is a string: "NaN", "Infinity", "-Infinity", "-0". */
export function jsonText(value: unknown): string {
  return JSON.stringify(value, (_, item: unknown) => {
    if (typeof item !== 'number' || (Number.isFinite(item) && !Object.is(item, -0))) return item;
    return Object.is(item, -0) ? '-0' : String(item);
  });
}

/** A float32 in the fewest digits that give it back: 0.1, not 0.10000000149011612. */
export function singleText(value: number): string {
  if (Object.is(value, -0)) return '-0';
  for (let digits = 1; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === value) return String(rounded);
  }
  return String(Number.isFinite(value) ? Number(value.toPrecision(9)) : value);
}

/** A path as a shell takes it. */
export const quoted = (path: string): string =>
  /^[\w./@:+-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;

const widthOf = (text: string): number => [...text].length;

export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** Rows of texts under titles, columns as wide as their widest cell; the last is cut to the terminal. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[], width = 100): string[] {
  const widths = columns.map(({ title }, i) => Math.max(widthOf(title), ...rows.map((row) => widthOf(row[i] ?? ''))));
  const line = (cells: readonly string[]): string => {
    const padded = columns.map(({ align }, i) => {
      const [cell, space] = [cells[i] ?? '', ' '.repeat(Math.max(0, (widths[i] ?? 0) - widthOf(cells[i] ?? '')))];
      return align === 'right' ? space + cell : cell + space;
    });
    const text = padded.join('  ').trimEnd();
    return widthOf(text) > width ? `${[...text].slice(0, Math.max(1, width - 1)).join('')}…` : text;
  };
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

/** Names and values in two columns. */
export function panel(pairs: readonly (readonly [name: string, value: string])[]): string[] {
  const width = Math.max(0, ...pairs.map(([name]) => widthOf(name)));
  return pairs.map(([name, value]) => `${name}${' '.repeat(width - widthOf(name))}  ${value}`.trimEnd());
}

export interface OutputOptions {
  readonly json?: boolean | undefined;
  readonly quiet?: boolean | undefined;
}

/**
 * What a command says. Under `--json` lines for people are left out and `result` writes one object at the end;
 * progress goes to standard error, unless `--quiet`.
 */
export class Output {
  readonly terminal: Terminal;
  readonly json: boolean;
  readonly quiet: boolean;
  #hasSpoken = false;

  constructor(terminal: Terminal, { json = false, quiet = false }: OutputOptions) {
    this.terminal = terminal;
    this.json = json;
    this.quiet = quiet;
  }

  /** Whether something was written for people, which cannot be taken back. */
  get hasSpoken(): boolean {
    return this.#hasSpoken;
  }

  /** Text for people on standard output. */
  write(text: string): void {
    if (this.json) return;
    this.#hasSpoken ||= text !== '';
    this.terminal.out(text);
  }

  /** Lines for people on standard output. */
  lines(...lines: readonly string[]): void {
    this.write(lines.map((line) => `${line}\n`).join(''));
  }

  table(columns: readonly Column[], rows: readonly (readonly string[])[]): void {
    const width = this.terminal.interactive ? this.terminal.columns : Number.POSITIVE_INFINITY;
    const [head = '', ...body] = table(columns, rows, width);
    this.lines(this.style('bold', head), ...body);
  }

  panel(pairs: readonly (readonly [name: string, value: string])[]): void {
    this.lines(...panel(pairs));
  }

  /** A line on standard error about what is going on. */
  progress(line: string): void {
    if (!this.quiet) this.terminal.error(`${line}\n`);
  }

  /** A line on standard error that no flag hides. */
  warn(message: string): void {
    this.terminal.error(`${this.style('yellow', `warning: ${message}`)}\n`);
  }

  /** The command's result for scripts: written under `--json` only. */
  result(value: unknown): void {
    if (this.json) this.terminal.out(`${jsonText(value)}\n`);
  }

  style(format: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', text: string): string {
    return this.terminal.color ? styleText(format, text, { validateStream: false }) : text;
  }
}
