import { SluiceError } from '../../base/errors.js';
import { plural } from '../../base/plural.js';
import { type RandomKey, randomKey } from '../../base/random.js';
import type { Examples } from '../../data/examples.js';
import { copiedSymbols, copyLength, copySigns, drawAdding, drawCopy } from '../../data/sequence-tasks.js';
import {
  fitSeries,
  lastWindow,
  type Series,
  type SeriesGaps,
  seasonOf,
  seriesOf,
  seriesTable,
  windowsOf,
} from '../../data/series.js';
import { columnOf, type Table } from '../../data/table.js';
import type { MissingPolicy, NumberColumn, TableEncoding } from '../../data/table-encoding.js';
import { readTable } from '../read-table.js';
import type { Settings } from '../settings.js';
import type { ReadData } from './example-data.js';

/** A source that draws its sequences: those that are held out, and others to learn from each time. */
type Draw = (settings: Settings, count: number, key: RandomKey) => Examples;

/** Both parts are drawn, and never from the same numbers. */
function drawnParts(draw: Draw, settings: Settings, encoding: TableEncoding): ReadData {
  const { examples, validation: share, seed } = settings;
  const held = Math.max(1, Math.round(share * examples));
  return {
    encoding,
    training: draw(settings, examples - held, randomKey(seed, 'noise')),
    validation: draw(settings, held, randomKey(seed, 'evaluation')),
    note: undefined,
  };
}

/** Numbers as they are drawn. */
const asDrawn = (name: string): NumberColumn => ({ kind: 'number', name, mean: 0, deviation: 1 });

const drawSums: Draw = ({ length }, count, key) => drawAdding({ count, length, key });

/** Sequences of the adding problem. */
export const addingData = (settings: Settings): ReadData =>
  drawnParts(drawSums, settings, {
    inputs: [asDrawn('number'), asDrawn('mark')],
    target: asDrawn('sum'),
    missing: 'refuse',
    sequence: { longest: settings.length, targets: 1 },
  });

const drawCopies: Draw = ({ symbols, delay }, count, key) => drawCopy({ count, symbols, delay, key });

/** Sequences of the copy task. */
export const copyData = (settings: Settings): ReadData =>
  drawnParts(drawCopies, settings, {
    inputs: [{ kind: 'words', name: 'sign', words: copySigns }],
    target: { kind: 'words', name: 'symbol', words: copiedSymbols },
    missing: 'refuse',
    sequence: { longest: copyLength(settings), targets: settings.symbols },
  });

/** Sequences are drawn anew for each step: none is learned by heart. */
const anew =
  (draw: Draw) =>
  ({ count }: Examples, settings: Settings, key: RandomKey): Examples =>
    draw(settings, count, key);
export const [newSums, newCopies] = [anew(drawSums), anew(drawCopies)];

/** Holds that examples can be read from a file. @throws SluiceError `argument` for sequences that are only ever drawn. */
export function requireReadable({ inputs, sequence }: TableEncoding, path: string): void {
  const isDrawn = sequence !== undefined && sequence.series === undefined && inputs[0]?.kind !== 'text';
  if (!isDrawn) return;
  throw new SluiceError('argument', {
    rule: 'sequences of this task are drawn, not read',
    received: `--data ${path}`,
    remedy: 'Leave it out: sluice evaluate judges by sequences that were never learned from.',
  });
}

/** Windows of a series in a table. @throws SluiceError `data` with file and line. */
export async function forecastData(settings: Settings): Promise<ReadData> {
  const whole = await readTable(settings.data);
  const { missing, validation: share, horizon } = settings;
  const names = namesOf(whole, settings);
  const table = seriesTable(whole, names, gapsOf(missing));
  const { length } = table.rows;
  const cut = length - Math.min(length - 1, Math.max(1, Math.round(share * length)));
  // Means, deviations and the season come from what is learned from alone: the future must not be seen.
  const columns = fitSeries(table, names, cut);
  const series = seriesOf(table, columns);
  const season = settings.season ?? seasonOf(targetsOf(series).slice(0, cut));
  const window = settings.window ?? usualWindow(season, cut - horizon);
  if (settings.season !== undefined && settings.season > window) {
    throw new SluiceError('argument', {
      rule: `a season of ${settings.season} is seen in a window`,
      received: `--window ${window}`,
      remedy: `Use --window ${settings.season} or more.`,
    });
  }
  const seen = season === undefined || season > window ? {} : { season };
  const encoding: TableEncoding = {
    inputs: columns,
    target: columns[0],
    missing,
    sequence: { longest: window, targets: horizon, series: { heldOutFrom: cut, ...seen } },
  };
  return {
    encoding,
    training: windowsOf(series, { window, horizon }, 0, cut),
    validation: windowsOf(series, { window, horizon }, cut, length),
    note: noteOf(encoding, table, cut),
  };
}

/** The column to forecast, and those that it is forecast from beside itself. */
function namesOf({ path, columns }: Table, { target = columns.at(-1) ?? '', inputs }: Settings): [string, ...string[]] {
  const names = inputs?.split(',').map((name) => name.trim()) ?? [];
  for (const name of [target, ...names]) columnOf({ path, columns }, name);
  return [target, ...names.filter((name) => name !== target)];
}

function gapsOf(missing: MissingPolicy): SeriesGaps {
  if (missing === 'refuse' || missing === 'previous') return missing;
  throw new SluiceError('argument', {
    rule: 'a missing value of a series is refused, or the previous one stands in',
    received: `--missing ${missing}`,
    remedy: 'Steps that are left out would move all others: use --missing previous.',
  });
}

const targetsOf = ({ values, columns }: Series): Float32Array => values.filter((_, i) => i % columns.length === 0);

/** Rows of a window where none, and too long a season is seen. */
const plainWindow = 24;
/** A longer season is not looked back on: each step of a window costs as much as the others. */
const longestSeason = 200;

/** Two seasons, or one of a long season; less where the series is short. */
function usualWindow(season: number | undefined, room: number): number {
  const isSeen = season !== undefined && season <= longestSeason;
  const wanted = isSeen ? Math.max(season, Math.min(2 * season, 2 * plainWindow), plainWindow / 2) : plainWindow;
  return Math.max(1, Math.min(wanted, Math.floor(room / 3)));
}

function noteOf({ inputs, target, sequence }: TableEncoding, { path, rows }: Table, cut: number): string {
  const { longest = 0, targets = 1, series } = sequence ?? {};
  const from = inputs.length === 1 ? '' : ` of ${inputs.map(({ name }) => name).join(', ')}`;
  const season = series?.season === undefined ? 'no season is seen' : `the season is ${plural(series.season, 'row')}`;
  const parts = `learned from lines ${rows[0]?.line} to ${rows[cut - 1]?.line}, judged by those from ${rows[cut]?.line} on`;
  return `${path}: ${plural(rows.length, 'row')}, ${parts}; the next ${plural(targets, 'value')} of ${target.name} from ${plural(longest, 'row')}${from}; ${season}`;
}

/** The windows of a file, as a run's model sees them. */
export async function readWindows(path: string, encoding: TableEncoding): Promise<Examples> {
  const { series, windows } = await readSeries(path, encoding);
  return windowsOf(series, windows, 0, series.table.rows.length);
}

/** The last window of a file, and the line that it ends with. */
export async function readLastWindow(path: string, encoding: TableEncoding) {
  const { series, windows } = await readSeries(path, encoding);
  const { rows } = series.table;
  return { examples: lastWindow(series, windows), rows: rows.length };
}

async function readSeries(path: string, { inputs, sequence, missing }: TableEncoding) {
  const columns = inputs.filter((column) => column.kind === 'number');
  const names = columns.map(({ name }) => name);
  const table = seriesTable(await readTable(path), names, gapsOf(missing));
  const { longest: window = 1, targets: horizon = 1 } = sequence ?? {};
  return { series: seriesOf(table, columns), windows: { window, horizon } };
}
