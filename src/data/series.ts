import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import { type Examples, offsetsOf } from './examples.js';
import { cellError, columnOf, isMissing, type Table, type TableRow } from './table.js';
import { type NumberColumn, numberColumn, numbersOf } from './table-encoding.js';

/** What becomes of a missing value of a series: an error, or the value before it stands in. */
export type SeriesGaps = 'refuse' | 'previous';

/**
 * A table whose rows are steps in time, without gaps.
 * @throws SluiceError `data` with file and line for a missing column, a value that is missing or no number, or rows that
 * go back in time.
 */
export function seriesTable(table: Table, columns: readonly string[], gaps: SeriesGaps): Table {
  const places = columns.map((name) => columnOf(table, name));
  requireForward(table, places);
  let before: readonly string[] | undefined;
  const rows = table.rows.map(({ line, cells }): TableRow => {
    const filled = cells.map((cell, at) => {
      if (!places.includes(at) || !isMissing(cell)) return cell;
      const previous = gaps === 'previous' ? before?.[at] : undefined;
      if (previous !== undefined) return previous;
      const remedy =
        gaps === 'previous'
          ? 'Nothing stands before the first value: leave the rows before it out.'
          : 'Use --missing previous to let the value before it stand in.';
      throw cellError({ path: table.path, line, column: table.columns[at] ?? '' }, 'has a value', cell, remedy);
    });
    before = filled;
    return { line, cells: filled };
  });
  return { ...table, rows };
}

/** Holds that a column of dates, where there is one, does not run backwards: what was learned would be the past. */
function requireForward({ path, columns, rows }: Table, places: readonly number[]): void {
  const isDate = (cell = ''): boolean => /^\d{4}-\d{2}(-\d{2})?/.test(cell) && !Number.isNaN(Date.parse(cell));
  columns.forEach((column, at) => {
    if (places.includes(at) || !rows.every(({ cells }) => isDate(cells[at]))) return;
    const times = rows.map(({ cells }) => Date.parse(cells[at] ?? ''));
    const back = times.findIndex((time, i) => i > 0 && time < (times[i - 1] ?? time));
    const row = rows[back];
    if (row === undefined) return;
    const remedy = 'Sort the rows, the oldest first.';
    throw cellError({ path, line: row.line, column }, 'is not before the row above', row.cells[at] ?? '', remedy);
  });
}

/** Windows of a series: so many steps in, so many to forecast. */
export interface Windows {
  /** Steps that a forecast is made from. */
  readonly window: number;
  /** Steps that are forecast. */
  readonly horizon: number;
}

/** Rows of a table as standardized numbers; the first column is the one to forecast. */
export interface Series {
  readonly table: Table;
  readonly columns: readonly NumberColumn[];
  /** [rows, columns]. */
  readonly values: Float32Array;
}

/** @throws SluiceError `data` with file and line for a cell that is no number. */
export function seriesOf(table: Table, columns: readonly NumberColumn[]): Series {
  const values = new Float32Array(table.rows.length * columns.length);
  columns.forEach(({ name, mean, deviation }, k) => {
    numbersOf(table, name).forEach((value, row) => {
      values[row * columns.length + k] = (value - mean) / deviation;
    });
  });
  return { table, columns, values };
}

/** The columns of a series, by the mean and deviation of its first `learned` rows alone. */
export function fitSeries(
  table: Table,
  [target, ...others]: readonly [string, ...string[]],
  learned: number,
): [NumberColumn, ...NumberColumn[]] {
  const training = table.rows.slice(0, learned);
  return [numberColumn(table, target, training), ...others.map((name) => numberColumn(table, name, training))];
}

/**
 * The windows whose targets begin at row `from` or later and end before row `to`, in their order, as sequences.
 * @throws SluiceError `data` that names file and line where there is none.
 */
export function windowsOf(
  { table, columns, values }: Series,
  { window, horizon }: Windows,
  from: number,
  to: number,
): Examples {
  const first = Math.max(from, window);
  const count = to - horizon - first + 1;
  if (count < 1) throw tooShort(table, { window, horizon }, from, to);
  const width = columns.length;
  const inputs = new Float32Array(count * window * width);
  const targets = new Float32Array(count * horizon);
  for (let i = 0; i < count; i++) {
    const start = first + i;
    inputs.set(values.subarray((start - window) * width, start * width), i * window * width);
    for (let step = 0; step < horizon; step++) targets[i * horizon + step] = values[(start + step) * width] ?? 0;
  }
  const offsets = offsetsOf(new Int32Array(count).fill(window));
  return { count, width, inputs, offsets, targets, targetWidth: horizon };
}

/** The last window, whose targets are not known. @throws SluiceError `data` for a series that is shorter. */
export function lastWindow({ table, columns, values }: Series, { window, horizon }: Windows): Examples {
  const { length } = table.rows;
  if (length < window) throw tooShort(table, { window, horizon: 0 }, 0, length);
  const inputs = values.slice((length - window) * columns.length);
  const targets = new Float32Array(horizon);
  return { count: 1, width: columns.length, inputs, offsets: Int32Array.of(0, window), targets, targetWidth: horizon };
}

function tooShort({ path, rows }: Table, { window, horizon }: Windows, from: number, to: number): SluiceError {
  const isPart = from > 0 || to < rows.length;
  const part = !isPart ? 'a series' : from > 0 ? 'a held-out part' : 'a part to learn from';
  const needed = from >= window ? horizon : window + horizon;
  const [first, last] = [rows[from]?.line ?? 1, rows[to - 1]?.line ?? 1];
  return new SluiceError('data', {
    rule: `lines ${first} to ${last} of ${path} are ${part} of ${plural(needed, 'row')} or more`,
    received: plural(to - from, 'row'),
    remedy: isPart
      ? `Lower --window (${window}) or --horizon (${horizon}), or give a longer series.`
      : `Give a longer series: a window has ${plural(window, 'row')}.`,
  });
}

/** What the simplest forecasts say of each window's steps: its last value, and the value of a season before. */
export interface NaiveForecasts {
  readonly lastValue: Float32Array;
  /** None where no season is known, or the window is shorter. */
  readonly seasonal?: Float32Array;
}

export function naiveForecasts(windows: Examples, season: number | undefined): NaiveForecasts {
  const { count, width, inputs, targetWidth: horizon = 1 } = windows;
  const window = inputs.length / (count * width);
  const from = (place: (step: number) => number): Float32Array =>
    Float32Array.from({ length: count * horizon }, (_, k) => {
      const i = Math.floor(k / horizon);
      return inputs[(i * window + place(k % horizon)) * width] ?? 0;
    });
  const lastValue = from(() => window - 1);
  if (season === undefined || season > window) return { lastValue };
  return { lastValue, seasonal: from((step) => window - season + (step % season)) };
}

/** A season explains at least so much of what a trend leaves. */
const leastCorrelation = 0.3;

/**
 * The steps after which a series repeats, from 2 on: the first high peak of its autocorrelation, a straight trend taken
 * away; undefined where there is none. Two seasons at least must be seen.
 */
export function seasonOf(values: ArrayLike<number>): number | undefined {
  const rest = withoutTrend(values);
  const power = rest.reduce((sum, value) => sum + value * value, 0);
  if (!(power > 0)) return undefined;
  const most = Math.min(Math.floor(rest.length / 2), 1000);
  const correlations = Array.from({ length: most + 1 }, (_, lag) => {
    let sum = 0;
    for (let i = lag; i < rest.length; i++) sum += (rest[i] ?? 0) * (rest[i - lag] ?? 0);
    // Fewer pairs at a longer lag: their mean, not their sum.
    return (sum / power) * (rest.length / (rest.length - lag));
  });
  const at = (lag: number): number => correlations[lag] ?? Number.NEGATIVE_INFINITY;
  let least = 1;
  const peaks: number[] = [];
  for (let lag = 1; lag < most; lag++) {
    const isPeak = at(lag) >= at(lag - 1) && at(lag) > at(lag + 1);
    // Down and up again: neighbours that are merely alike are no season.
    if (lag >= 2 && isPeak && at(lag) >= Math.max(leastCorrelation, least + 0.2)) peaks.push(lag);
    least = Math.min(least, at(lag));
  }
  const highest = Math.max(...peaks.map(at));
  return peaks.find((lag) => at(lag) >= 0.9 * highest);
}

/** What remains beside the straight line of least squares. */
function withoutTrend(values: ArrayLike<number>): Float64Array {
  const n = values.length;
  const middle = (n - 1) / 2;
  let [sum, slope, spread] = [0, 0, 0];
  for (let i = 0; i < n; i++) {
    sum += values[i] ?? 0;
    slope += (i - middle) * (values[i] ?? 0);
    spread += (i - middle) ** 2;
  }
  return Float64Array.from(values, (value, i) => value - sum / n - (slope / (spread || 1)) * (i - middle));
}
