import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomInteger, randomKey, randomNormal } from '../../src/base/random.js';
import { sluice } from '../support/terminal.js';
import { readJson, readMetrics, temporaryFolder } from './runs.js';

const folder = temporaryFolder();
let made = 0;
const out = (): string => join(folder, `run-${made++}`);
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};
const train = (...args: readonly string[]) => sluice(['train', '--threads', '1', '--quiet', ...args]);
const key = randomKey(11, 'noise');
const models = ['lstm', 'gru', 'rnn'] as const;

/** A season of 12 on a rising line, with some noise; the first column is a date, the last one the series. */
const rows = Array.from({ length: 150 }, (_, i) => {
  const date = new Date(Date.UTC(2010, i, 1)).toISOString().slice(0, 7);
  const value = 50 + i + 20 * Math.sin((2 * Math.PI * i) / 12) + randomNormal(key, i);
  return `${date},${(i % 5).toFixed(0)},${value.toFixed(3)}`;
});
const table = (lines: readonly string[]): string => `month,other,sold\n${lines.join('\n')}\n`;
const series = file('series.csv', table(rows));

interface Figures {
  readonly meanSquaredError: number;
  readonly r2: number;
  readonly accuracy: number;
  readonly examples: number;
  readonly naive: Record<'lastValue' | 'seasonal', { readonly meanSquaredError: number; readonly season?: number }>;
}

describe('the adding problem', () => {
  test.each(models)('of a few steps is learned by an %s, from sequences drawn anew', async (model) => {
    const run = out();
    const flags = ['--task', 'adding', '--model', model, '--length', '3', '--hidden', '24', '--steps', '300'];
    const { code, json } = await train(...flags, '--examples', '64', '--out', run, '--json');
    expect(code).toBe(0);
    // Who always says 1 has an error of 1/6: what is held out was never seen, nor learned by heart.
    expect((json() as Figures).meanSquaredError).toBeLessThan(0.05);
    const { settings } = readJson(run, 'run.json') as { settings: Record<string, unknown> };
    expect(settings).toMatchObject({ task: 'adding', model, length: 3, hidden: 24, layers: 1 });
    expect(Object.keys(settings)).not.toContain('tokenizer');
    expect((await sluice(['evaluate', run, '--json'])).json()).toMatchObject({ examples: 13 });
  });
});

describe('the copy task', () => {
  test('of two symbols is learned, and judged by each symbol', async () => {
    const run = out();
    const flags = ['--task', 'copy', '--model', 'gru', '--symbols', '2', '--delay', '2', '--hidden', '32'];
    const { code, json } = await train(...flags, '--steps', '400', '--examples', '100', '--out', run, '--json');
    expect(code).toBe(0);
    expect((json() as Figures).accuracy).toBeGreaterThan(0.9);
    const { json: judged } = await sluice(['evaluate', run, '--json']);
    // Two symbols of each of the 20 sequences that are held out.
    expect(judged()).toMatchObject({ examples: 40 });
  });

  test('tells chance from what is remembered: an untrained model has an accuracy of about an eighth', async () => {
    const { json } = await train('--task', 'copy', '--steps', '1', '--lr', '1e-6', '--out', out(), '--json');
    expect((json() as Figures).accuracy).toBeLessThan(0.3);
  });
});

describe('a forecast', () => {
  test('of a season on a line beats the last value and the value of a season before', async () => {
    const run = out();
    const { code, json, error } = await train(
      '--task',
      'forecast',
      '--data',
      series,
      '--steps',
      '300',
      '--out',
      run,
      '--json',
    );
    expect(code).toBe(0);
    expect(error).toBe('');
    const { meanSquaredError, naive } = json() as Figures;
    expect(naive.seasonal.season).toBe(12);
    expect(meanSquaredError).toBeLessThan(0.3 * naive.lastValue.meanSquaredError);
    expect(meanSquaredError).toBeLessThan(0.3 * naive.seasonal.meanSquaredError);
    const { out: shown } = await sluice(['evaluate', run, '--pictures']);
    expect(shown).toMatch(/last value +mean squared error [\d.]+.*\nseason of 12 +mean squared error/);
    expect(readdirSync(join(run, 'pictures')).sort()).toEqual(['forecast.svg', 'loss.svg', 'values.svg']);
    expect(readFileSync(join(run, 'pictures', 'forecast.svg'), 'utf8')).not.toContain('NaN');
  });

  test('of several rows is judged by all of them, with any model, columns and window', async () => {
    for (const model of models) {
      const run = out();
      const shape = ['--horizon', '6', '--window', '13', '--inputs', 'other', '--steps', '20', '--model', model];
      const { code } = await train('--task', 'forecast', '--data', series, '--target', 'sold', ...shape, '--out', run);
      expect(code).toBe(0);
      // 30 rows are held out: 25 windows have 6 of them ahead.
      const { json: held } = await sluice(['evaluate', run, '--json']);
      expect((held() as Figures).examples).toBe(150);
      const { json: judged } = await sluice(['evaluate', run, '--data', series, '--pictures', '--json']);
      expect((judged() as Figures).examples).toBe(6 * (150 - 13 - 6 + 1));
    }
  });

  test('says what it learned from, what is held out and which season it saw', async () => {
    const { error } = await sluice([
      ...['train', '--task', 'forecast', '--data', series, '--steps', '1', '--threads', '1', '--out', out()],
    ]);
    expect(error).toMatch(
      /150 rows, learned from lines 2 to 121, judged by those from 122 on; the next 1 value of sold from 24 rows; the season is 12 rows/,
    );
  });

  test('is resumed with the same figures', async () => {
    const flags = ['--task', 'forecast', '--data', series, '--hidden', '4', '--eval-every', '100', '--save-every', '3'];
    const [whole, broken] = [out(), out()];
    await train(...flags, '--steps', '6', '--out', whole);
    await train(...flags, '--steps', '3', '--warmup', '0', '--schedule', 'constant', '--out', broken);
    const { code } = await sluice(['train', '--resume', broken, '--steps', '6', '--quiet']);
    expect(code).toBe(0);
    const last = readMetrics(broken).at(-1);
    expect(last).toMatchObject({ step: 6, validationLoss: expect.any(Number) });
  });

  const withCell = (row: number, column: number, cell: string): string =>
    table(rows.map((line, i) => (i === row ? line.split(',').with(column, cell).join(',') : line)));

  test.each([
    ['a missing column', table(rows), ['--target', 'price'], /line 1 of .* names the column "price"/],
    ['a missing input', table(rows), ['--inputs', 'weather'], /line 1 of .* names the column "weather"/],
    ['a ragged row', table(rows.with(3, '2010-04,1')), [], /line 5 of .* has 3 cells, received "2 cells"/],
    ['a cell that is no number', withCell(7, 2, 'many'), [], /line 9 of .*: sold is a number, received "many"/],
    [
      'a missing value',
      withCell(8, 2, ''),
      [],
      /line 10 of .*: sold has a value, received ""\. Use --missing previous/,
    ],
    [
      'a first value that is missing',
      withCell(0, 2, 'NA'),
      ['--missing', 'previous'],
      /line 2 .* Nothing stands before/,
    ],
    [
      'a series shorter than its window',
      table(rows.slice(0, 20)),
      ['--window', '24'],
      /lines 2 to 17 of .* are a part to learn from of 25 rows or more, received "16 rows"/,
    ],
    [
      'too long a horizon',
      table(rows),
      ['--horizon', '40'],
      /lines 122 to 151 of .* are a held-out part of 40 rows or more, received "30 rows"/,
    ],
    ['words alone', table(rows), ['--target', 'month'], /line 2 of .*: month is a number, received "2010-01"/],
    ['rows that go back in time', table([...rows].reverse()), [], /line 3 of .*: month is not before the row above/],
  ])('is refused with %s, by file and line', async (_, text, flags, message) => {
    const run = out();
    const { code, error } = await train(
      '--task',
      'forecast',
      '--data',
      file('flawed.csv', text),
      ...flags,
      '--out',
      run,
    );
    expect([code, error]).toEqual([1, expect.stringMatching(message)]);
    expect(error.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync(run)).toBe(false);
  });

  test('of a run is refused for another file that does not fit', async () => {
    const run = out();
    await train('--task', 'forecast', '--data', series, '--steps', '1', '--out', run);
    const short = file('short.csv', table(rows.slice(0, 20)));
    const { code, error } = await sluice(['evaluate', run, '--data', short]);
    expect([code, error]).toEqual([
      1,
      expect.stringMatching(/lines 2 to 21 of .*short\.csv are a series of 25 rows or more/),
    ]);
  });
});

describe('texts', () => {
  // The class is whether the first letter comes back at the end: a bag of tokens cannot know.
  const lines = Array.from({ length: 200 }, (_, i) => {
    const length = 2 + randomInteger(key, 5000 + i, 5);
    const letters = Array.from({ length }, (_x, j) => 'ab'[randomInteger(key, 6000 + 8 * i + j, 2)]);
    const isOpen = i % 2 === 0;
    return JSON.stringify({
      text: [...letters, isOpen ? letters[0] : letters[0] === 'a' ? 'b' : 'a'].join(''),
      label: isOpen ? 'same' : 'other',
    });
  });
  const path = file('letters.jsonl', `${lines.join('\n')}\n`);

  test('whose order counts are told apart by recurrent models, in batches of different lengths', async () => {
    const run = out();
    const flags = ['--task', path, '--model', 'gru', '--tokenizer', 'char', '--dim', '8', '--hidden', '32'];
    const { code, json } = await train(
      ...flags,
      '--readout',
      'last',
      '--steps',
      '400',
      '--lr',
      '1e-2',
      '--out',
      run,
      '--json',
    );
    expect(code).toBe(0);
    expect((json() as Figures).accuracy).toBeGreaterThan(0.9);
    const other = file('more.jsonl', '{"text": "abba", "label": "same"}\n{"text": "b", "label": "odd"}\n');
    const { code: failed, error } = await sluice(['evaluate', run, '--data', other]);
    expect([failed, error]).toEqual([
      1,
      expect.stringMatching(/line 2 of .*more\.jsonl: label is one of the 2 that training saw, received "odd"/),
    ]);
  });

  test.each(models)('are judged alike alone and in a batch by a bidirectional %s', async (model) => {
    const run = out();
    await train(
      '--task',
      path,
      '--model',
      model,
      '--bidirectional',
      '--tokenizer',
      'char',
      '--steps',
      '5',
      '--out',
      run,
    );
    const loss = async (batch: string): Promise<number> =>
      ((await sluice(['evaluate', run, '--batch', batch, '--json'])).json() as { loss: number }).loss;
    expect(await loss('1')).toBeCloseTo(await loss('64'), 5);
  });

  test('longer than --context are cut there', async () => {
    const run = out();
    await train(
      '--task',
      path,
      '--model',
      'rnn',
      '--tokenizer',
      'char',
      '--context',
      '3',
      '--steps',
      '1',
      '--out',
      run,
    );
    expect(readJson(run, 'dataset.json')).toMatchObject({ sequence: { longest: 3, targets: 1 } });
    const empty = file('empty.jsonl', '{"text": "ab", "label": "same"}\n{"text": "", "label": "same"}\n');
    const { error } = await sluice(['evaluate', run, '--data', empty]);
    expect(error).toMatch(/line 2 of .*empty\.jsonl has a text/);
  });
});

describe('what a model says', () => {
  interface Said {
    readonly predictions: readonly { of: string | number; value: string | number; probability?: number }[];
  }
  const predict = async (...args: readonly string[]): Promise<Said> => {
    const { code, json } = await sluice(['predict', ...args, '--json']);
    expect(code).toBe(0);
    return json() as Said;
  };

  test('of a series is what follows its last row, or that of another file', async () => {
    const run = out();
    const flags = ['--steps', '200', '--horizon', '3', '--out', run];
    await train('--task', 'forecast', '--data', series, ...flags);
    const { predictions } = await predict(run);
    expect(predictions.map(({ of }) => of)).toEqual([151, 152, 153]);
    predictions.forEach(({ value }, i) => {
      expect(Math.abs(Number(value) - (200 + i + 20 * Math.sin((2 * Math.PI * (150 + i)) / 12)))).toBeLessThan(8);
    });
    const shorter = file('shorter.csv', table(rows.slice(0, 149)));
    expect((await predict(run, '--data', shorter)).predictions[0]?.of).toBe(150);
    const short = file('too-short.csv', table(rows.slice(0, 9)));
    const { code, error } = await sluice(['predict', run, '--data', short]);
    expect([code, error]).toEqual([1, expect.stringMatching(/lines 2 to 10 of .* a series of 24 rows or more/)]);
  });

  test('of texts and of rows is a class with its probability, or a value; no target is needed', async () => {
    const run = out();
    const texts = file(
      'few.jsonl',
      Array.from(
        { length: 20 },
        (_, i) => `{"text": "${i % 2 === 0 ? 'aa' : 'b'}", "label": "${i % 2 === 0 ? 'x' : 'y'}"}`,
      ).join('\n'),
    );
    await train('--task', texts, '--model', 'gru', '--tokenizer', 'char', '--steps', '60', '--out', run);
    const { predictions } = await predict(run, '--text', 'aa', '--text', 'b');
    expect(predictions.map(({ of, value }) => [of, value])).toEqual([
      ['aa', 'x'],
      ['b', 'y'],
    ]);
    expect(predictions.every(({ probability = 0 }) => probability > 0.5 && probability <= 1)).toBe(true);
    const unlabelled = file('unlabelled.jsonl', '{"text": "b"}\n\n{"text": "aa"}\n');
    expect((await predict(run, '--data', unlabelled)).predictions.map(({ of, value }) => [of, value])).toEqual([
      [1, 'y'],
      [3, 'x'],
    ]);
    const { out: shown } = await sluice(['predict', run, '--text', 'aa']);
    expect(shown).toMatch(/text +label +probability\s+aa +x +[01]\.\d{3}/);

    const values = out();
    const points = Array.from({ length: 60 }, (_, i) => `${i / 10},${i / 5 + 0.01}`);
    await train('--task', file('line.csv', `x,y\n${points.join('\n')}\n`), '--steps', '200', '--out', values);
    const { predictions: said } = await predict(values, '--data', file('asked.csv', 'x\n2\n'));
    expect(said).toEqual([{ of: 2, value: expect.any(Number) }]);
    expect(Math.abs(Number(said[0]?.value) - 4)).toBeLessThan(0.5);
  });

  test('has to be asked of something that its task can read', async () => {
    const run = out();
    await train('--task', 'adding', '--length', '3', '--steps', '1', '--out', run);
    const refused = async (...args: readonly string[]) => (await sluice([...args])).error;
    expect(await refused('predict', run, '--data', series)).toMatch(/sequences of this task are drawn, not read/);
    expect(await refused('evaluate', run, '--data', series)).toMatch(/sequences of this task are drawn, not read/);
    expect(await refused('predict', run)).toMatch(/something is predicted of what is given, received "nothing"/);
    expect(await refused('predict', run, '--text', 'x')).toMatch(/a text is given to a model of texts/);
  });
});

describe('wrong usage', () => {
  test.each([
    [['--task', 'adding', '--model', 'mlp'], /adding is learned by lstm or gru or rnn/],
    [['--task', 'adding', '--tokenizer', 'char'], /lstm for adding takes no tokenizer/],
    [['--task', 'copy', '--length', '5'], /lstm for copy takes no length/],
    [['--task', 'adding', '--model', 'rnn', '--forget-bias', '1'], /rnn for adding takes no forgetBias/],
    [['--task', 'adding', '--length', '1'], /length is at least 2/],
    [['--task', 'forecast'], /forecast is learned from a file/],
    [['--task', 'forecast', '--data', series, '--missing', 'drop'], /received "--missing drop"/],
    [['--task', 'forecast', '--data', series, '--window', '5', '--season', '12'], /a season of 12 is seen in a window/],
    [['--task', series, '--missing', 'previous'], /received "--missing previous"/],
  ])('%j exits with 2', async (flags, message) => {
    const run = out();
    const { code, error } = await train(...flags, '--out', run);
    expect([code, error]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(run)).toBe(false);
  });
});
