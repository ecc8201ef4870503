import { describe, expect, test } from 'vitest';
import { randomKey, randomNormal } from '../../src/base/random.js';
import { exampleAt } from '../../src/data/examples.js';
import { fitSeries, naiveForecasts, seasonOf, seriesOf, seriesTable, windowsOf } from '../../src/data/series.js';
import type { Table } from '../../src/data/table.js';

const table = (rows: readonly (readonly (string | number)[])[], columns = ['x', 'y']): Table => ({
  path: 'series.csv',
  columns,
  rows: rows.map((cells, i) => ({ line: i + 2, cells: cells.map(String) })),
});
const key = randomKey(5, 'noise');
const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe('windows of a series', () => {
  const rows = upTo(10).map((i) => [100 + i, i]);
  const whole = table(rows);
  const plain = (name: string) => ({ kind: 'number', name, mean: 0, deviation: 1 }) as const;
  const series = seriesOf(whole, [plain('y'), plain('x')]);

  test('are the rows before a target, its column first, and then the targets', () => {
    const windows = windowsOf(series, { window: 3, horizon: 2 }, 0, 10);
    expect(windows).toMatchObject({ count: 6, width: 2, targetWidth: 2 });
    expect(exampleAt(windows, 1)).toEqual(Float32Array.of(1, 101, 2, 102, 3, 103));
    expect(windows.targets.subarray(2, 4)).toEqual(Float32Array.of(4, 5));
  });

  test('that are learned from end before the first row that is held out, and those held out begin with it', () => {
    const learned = windowsOf(series, { window: 3, horizon: 2 }, 0, 7);
    const held = windowsOf(series, { window: 3, horizon: 2 }, 7, 10);
    expect(Math.max(...learned.targets, ...learned.inputs.filter((_, i) => i % 2 === 0))).toBe(6);
    expect(Math.min(...held.targets)).toBe(7);
    expect(exampleAt(held, 0)[0]).toBe(4);
    expect([learned.count, held.count]).toEqual([3, 2]);
  });

  test('are standardized by the rows that are learned from alone', () => {
    const [column] = fitSeries(whole, ['y'], 5);
    expect(column).toEqual({ kind: 'number', name: 'y', mean: 2, deviation: Math.sqrt(2) });
    const changed = table(rows.map((row, i) => (i < 5 ? row : [0, 1e6])));
    expect(fitSeries(changed, ['y'], 5)).toEqual([column]);
  });

  test.each([
    [
      0,
      4,
      /lines 2 to 5 of series\.csv are a part to learn from of 5 rows or more, received "4 rows"\. Lower --window \(3\)/,
    ],
    [9, 10, /lines 11 to 11 of series\.csv are a held-out part of 2 rows or more, received "1 row"/],
  ])('from row %i to %i are too few, which is said by lines', (from, to, message) => {
    expect(() => windowsOf(series, { window: 3, horizon: 2 }, from, to)).toThrow(message);
    expect(() => windowsOf(series, { window: 9, horizon: 2 }, 0, 10)).toThrow(
      /lines 2 to 11 .* a series of 11 rows or more.*Give a longer series: a window has 9 rows/,
    );
  });
});

describe('a missing value of a series', () => {
  const holed = table([
    [1, 1],
    ['', 2],
    ['NA', 3],
    [4, 4],
  ]);

  test('is refused by line and column', () => {
    expect(() => seriesTable(holed, ['x', 'y'], 'refuse')).toThrow(
      /line 3 of series\.csv: x has a value.*--missing previous/,
    );
    expect(seriesTable(holed, ['y'], 'refuse').rows).toEqual(holed.rows);
  });

  test('is replaced by the one before it, where there is one', () => {
    expect(seriesTable(holed, ['x'], 'previous').rows.map(({ cells }) => cells[0])).toEqual(['1', '1', '1', '4']);
    expect(() =>
      seriesTable(
        table([
          ['', 1],
          [1, 1],
        ]),
        ['x'],
        'previous',
      ),
    ).toThrow(/line 2 .* Nothing stands before/);
  });
});

test('a column that is missing, and a cell that is no number, are named with file and line', () => {
  expect(() => seriesTable(table([[1, 2]]), ['z'], 'refuse')).toThrow(/line 1 of series\.csv names the column "z"/);
  expect(() =>
    fitSeries(
      table([
        [1, 2],
        ['many', 2],
      ]),
      ['x'],
      1,
    ),
  ).toThrow(/line 3 of series\.csv: x is a number, received "many"/);
});

test('rows that go back in time are refused, by the column of dates', () => {
  const dated = (...dates: string[]) =>
    table(
      dates.map((date, i) => [date, i]),
      ['date', 'y'],
    );
  expect(() => seriesTable(dated('2024-03-01', '2024-02-01', '2024-01-01'), ['y'], 'refuse')).toThrow(
    /line 3 of series\.csv: date is not before the row above, received "2024-02-01"\. Sort the rows/,
  );
  expect(seriesTable(dated('2024-01', '2024-02', '2024-02'), ['y'], 'refuse').rows).toHaveLength(3);
});

describe('the season of a series', () => {
  const noisy = (period: number, count: number, noise: number): number[] =>
    upTo(count).map((i) => 3 * i + Math.sin((2 * Math.PI * i) / period) * 20 + noise * randomNormal(key, i));

  test.each([
    [12, 120],
    [7, 60],
    [24, 500],
  ])('of %i steps is found in %i of them, under a trend and noise', (period, count) => {
    expect(seasonOf(noisy(period, count, 4))).toBe(period);
  });

  test('is none in noise, a random walk, a line or a constant', () => {
    expect(seasonOf(upTo(300).map((i) => randomNormal(key, i)))).toBeUndefined();
    let walk = 0;
    const walked = upTo(300).map((i) => (walk += randomNormal(randomKey(2, 'noise'), i)));
    expect(seasonOf(walked)).toBeUndefined();
    expect(seasonOf(upTo(100).map((i) => 2 * i))).toBeUndefined();
    expect(seasonOf(new Float64Array(50).fill(3))).toBeUndefined();
  });
});

test('the simplest forecasts say the last value again, or that of a season before', () => {
  const series = seriesOf(table(upTo(12).map((i) => [0, i])), [{ kind: 'number', name: 'y', mean: 0, deviation: 1 }]);
  const windows = windowsOf(series, { window: 4, horizon: 5 }, 0, 12);
  const { lastValue, seasonal } = naiveForecasts(windows, 3);
  expect(lastValue.subarray(0, 5)).toEqual(Float32Array.of(3, 3, 3, 3, 3));
  expect(seasonal?.subarray(5, 10)).toEqual(Float32Array.of(2, 3, 4, 2, 3));
  expect(naiveForecasts(windows, 5).seasonal).toBeUndefined();
});
