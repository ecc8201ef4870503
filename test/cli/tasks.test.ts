import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { randomInteger, randomKey, randomUniform } from '../../src/base/random.js';
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

const key = randomKey(4, 'noise');
const points = Array.from({ length: 120 }, (_, i) => [
  4 * randomUniform(key, 2 * i) - 2,
  4 * randomUniform(key, 2 * i + 1) - 2,
])
  .filter(([x = 0, y = 0]) => Math.abs(x + 2 * y - 0.5) > 0.2)
  .map(([x = 0, y = 0]) => `${x.toFixed(3)},${y.toFixed(3)},${x + 2 * y > 0.5 ? 'above' : 'below'}`);
const separable = file('separable.csv', `x,y,side\n${points.join('\n')}\n`);

describe('two rings', () => {
  test('may be of more points than a call takes arguments', async () => {
    const run = out();
    const given = ['--examples', '300000', '--validation', '0.5', '--steps', '1', '--batch', '1000'];
    expect((await train('--task', 'rings', ...given, '--out', run)).code).toBe(0);
    expect((await sluice(['evaluate', run, '--json'])).json()).toMatchObject({ examples: 150_000 });
  });

  test('are learned by an MLP, to the last held-out point', async () => {
    const run = out();
    const { code, json } = await train(
      '--task',
      'rings',
      '--steps',
      '200',
      '--eval-every',
      '100',
      '--out',
      run,
      '--json',
    );
    expect(code).toBe(0);
    expect(json()).toMatchObject({ data: 'rings', step: 200, accuracy: 1, macroF1: 1, examples: 6400 });
    expect(readdirSync(run).sort()).toEqual([
      'checkpoints',
      'config.json',
      'dataset.json',
      'examples',
      'metrics.jsonl',
      'model.safetensors',
      'run.json',
    ]);
    expect(readMetrics(run).filter(({ validationLoss }) => validationLoss !== undefined)).toEqual([
      { step: 100, validationLoss: expect.any(Number), accuracy: 1, macroF1: 1 },
      { step: 200, validationLoss: expect.any(Number), accuracy: 1, macroF1: 1 },
    ]);
    expect(Object.keys(readMetrics(run)[0] ?? {})).toEqual([
      ...['step', 'loss', 'learningRate', 'gradientNorm', 'examples', 'examplesPerSecond', 'seconds'],
    ]);
    const { settings } = readJson(run, 'run.json') as { settings: Record<string, unknown> };
    expect(settings).toMatchObject({ task: 'rings', model: 'mlp', layers: 2, hidden: 32 });
    // What the model has no use for is not in its record.
    expect(Object.keys(settings)).not.toContain('heads');
  });

  test.each([
    '0/1',
    '-1/1',
  ])('are not learned by a perceptron with outputs %s, and the data say why', async (outputs) => {
    const run = out();
    const flags = [
      '--task',
      'rings',
      '--model',
      'perceptron',
      `--outputs=${outputs}`,
      '--steps',
      '5',
      '--examples',
      '100',
    ];
    const { code, error, json } = await train(...flags, '--out', run, '--json');
    expect(code).toBe(1);
    expect(error).toMatch(
      /^error: a perceptron learns classes that a line parts, received "inner and outer, whose convex hulls meet at \(/,
    );
    expect(error).toMatch(/not linearly separable: that point is a mix of \(.*\) of inner, and of \(.*\) of outer\./);
    expect(error).toContain(`the derivative of ${outputs === '0/1' ? 'step' : 'sign'} is 0 everywhere`);
    expect(error).toContain('--model mlp');
    expect(json()).toMatchObject({ error: { code: 'data' } });
    // What it learned can be looked at all the same.
    const { out: shown } = await sluice(['evaluate', run]);
    expect(shown).toMatch(/accuracy\s+\d/);
  });
});

describe('separable points of a file', () => {
  test.each(['0/1', '-1/1'])('are learned by a perceptron with outputs %s, which then ends', async (outputs) => {
    const run = out();
    const { code, json } = await train(
      '--task',
      separable,
      '--model',
      'perceptron',
      `--outputs=${outputs}`,
      '--steps',
      '500',
      '--out',
      run,
      '--json',
    );
    expect(code).toBe(0);
    const { step, accuracy } = json() as { step: number; accuracy: number };
    expect(step).toBeLessThan(500);
    expect(accuracy).toBeGreaterThan(0.9);
    expect(readMetrics(run).findLast(({ loss }) => loss !== undefined)?.loss).toBe(0);
  });

  test('that it has not learned yet are told from those that it cannot', async () => {
    const close = Array.from(
      { length: 40 },
      (_, i) => `${i},${i % 2 === 0 ? i + 0.01 : i - 0.01},${i % 2 === 0 ? 'a' : 'b'}`,
    );
    const path = file('close.csv', `x,y,side\n${close.join('\n')}\n`);
    const { code, error } = await train('--task', path, '--model', 'perceptron', '--steps', '2', '--out', out());
    expect(code).toBe(1);
    expect(error).toMatch(
      /A line parts the classes, and the rule finds one after .* mistakes at most\. Go on with more --steps/,
    );
  });
});

describe('a table', () => {
  const prices = file(
    'prices.csv',
    `size,color,price\n${Array.from({ length: 200 }, (_, i) => {
      const size = 10 * randomUniform(key, 500 + i);
      const color = randomInteger(key, 900 + i, 2) === 0 ? 'red' : 'blue';
      return `${size.toFixed(2)},${color},${(100 + 20 * size + (color === 'red' ? 50 : 0)).toFixed(1)}`;
    }).join('\n')}\n`,
  );

  test('of values is judged by R^2 and the squared error in their own units, here and on another file', async () => {
    const run = out();
    const { code, json } = await train('--task', prices, '--steps', '300', '--out', run, '--json');
    expect(code).toBe(0);
    const { r2, meanSquaredError } = json() as { r2: number; meanSquaredError: number };
    expect(r2).toBeGreaterThan(0.99);
    expect(meanSquaredError).toBeLessThan(0.01 * 60 ** 2);
    const other = file('other.csv', 'price,color,size\n200,blue,5\n250,red,5\n');
    const judged = (await sluice(['evaluate', run, '--data', other, '--json'])).json();
    expect((judged as { examples: number }).examples).toBe(2);
    expect((judged as { meanAbsoluteError: number }).meanAbsoluteError).toBeLessThan(15);
  });

  test('that evaluates a run is refused by file and line for what training did not see', async () => {
    const run = out();
    await train('--task', separable, '--steps', '2', '--out', run);
    for (const [text, message] of [
      [
        'x,y,side\n1,2,above\n1,2,beside\n',
        /line 3 of .*bad\.csv: side is one of the 2 that training saw, received "beside"/,
      ],
      ['x,side\n1,above\n', /line 1 of .*bad\.csv names the column "y", received \["x", "side"\]/],
      ['x,y,side\n1,2,above\n1,2\n', /line 3 of .*bad\.csv has 3 cells, received "2 cells"/],
      ['x,y,side\n1,"two\n2",above\n1,two,above\n', /line 2 of .*bad\.csv: y is a number, received "two/],
      ['x,y,side\n1,2,above\n1,?,above\n', /line 3 of .*bad\.csv: y has a value, received "\?"/],
      ['x,y,side\n', /bad\.csv has rows below its first line.*give one or more/],
    ] as const) {
      const { code, error } = await sluice(['evaluate', run, '--data', file('bad.csv', text)]);
      expect([code, error]).toEqual([1, expect.stringMatching(message)]);
      expect(error.trimEnd().split('\n')).toHaveLength(1);
    }
    const one = await sluice(['evaluate', run, '--data', file('one.csv', 'x,y,side\n1,2,above\n'), '--json']);
    expect(one.json()).toMatchObject({ examples: 1 });
  });

  test.each([
    ['x,y\n1,a\n2\n3,b\n', [], /line 3 of .*received "1 cell"/],
    ['x,y\n1,a\nbig,b\n3,a\n4,b\n', [], /line 3 of .*: x is a number, received "big"/],
    ['x,y\n1,a\n2,b\n3,a\n', [], /line 3 of .*: y is of a class with two examples or more, received "b"/],
    ['x,y\n1,a\n2,b\n', ['--target', 'z'], /line 1 of .* names the column "z"/],
    ['x,y\n1,a\n,b\n3,a\n4,b\n', [], /line 3 of .*: x has a value, received ""\. Use --missing mean/],
    ['x,y\n1,a\n2,\n3,a\n4,b\n', [], /line 3 of .*: y has a value.*cannot be filled in: use --missing drop/],
    ['x,y\n1,a\n2,a\n,b\n4,b\n', ['--missing', 'drop'], /line 5 of .*: y is of a class with two examples or more/],
    ['x,y\n,a\n,b\n,a\n,b\n', ['--missing', 'mean'], /x of .* has a value in some row, received "4 rows without one"/],
  ])('%j with %j fails before anything is made', async (text, flags, message) => {
    const run = out();
    const { code, error } = await train('--task', file('flawed.csv', text), ...flags, '--out', run);
    expect([code, error]).toEqual([1, expect.stringMatching(message)]);
    expect(error.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync(run)).toBe(false);
  });

  test('with missing values says which, and what became of them', async () => {
    const path = file(
      'holes.csv',
      `x,y\n${Array.from({ length: 20 }, (_, i) => `${i === 3 ? 'NA' : i},${i < 10 ? 'a' : 'b'}`).join('\n')}\n`,
    );
    const { error } = await sluice(['train', '--task', path, '--missing', 'drop', '--steps', '1', '--out', out()]);
    expect(error).toMatch(
      /19 rows; y is predicted, as a class, from 1 column; 1 value of x missing \(line 5\): 1 row left out/,
    );
  });
});

describe('texts', () => {
  const words = { sea: ['whale', 'ship', 'sail', 'wave'], land: ['horse', 'road', 'field', 'house'] } as const;
  const lines = Array.from({ length: 120 }, (_, i) => {
    const label = i % 2 === 0 ? 'sea' : 'land';
    const length = 1 + randomInteger(key, 2000 + i, 12);
    const chosen = Array.from({ length }, (_x, j) => words[label][randomInteger(key, 3000 + 12 * i + j, 4)]);
    return JSON.stringify({ text: chosen.join(' '), label });
  });
  const path = file('texts.jsonl', `${lines.join('\n')}\n`);

  test('of lines of JSON are told apart by a bag of their tokens, in batches of different lengths', async () => {
    const run = out();
    const { code, json } = await train(
      '--task',
      path,
      '--steps',
      '100',
      '--tokenizer',
      'bpe:300',
      '--out',
      run,
      '--json',
    );
    expect(code).toBe(0);
    expect(json()).toMatchObject({ accuracy: 1 });
    expect(existsSync(join(run, 'tokenizer.json'))).toBe(true);
    const foreign = file('foreign.jsonl', '{"text": "a ship", "label": "sea"}\n{"text": "a ship", "label": "sky"}\n');
    expect((await sluice(['evaluate', run, '--data', foreign])).error).toMatch(
      /line 2 of .*: label is one of the 2 that training saw, received "sky"/,
    );
    const other = file(
      'more.jsonl',
      '{"text": "a ship with a sail", "label": "sea"}\n\n{"text": "the house on the road", "label": "land"}\n',
    );
    expect((await sluice(['evaluate', run, '--data', other, '--json'])).json()).toMatchObject({
      accuracy: 1,
      examples: 2,
    });
  });

  test('may stand in a table', async () => {
    const rows = lines.map((line) => JSON.parse(line) as { text: string; label: string });
    const table = file('texts.csv', `label,text\n${rows.map(({ text, label }) => `${label},"${text}"`).join('\n')}\n`);
    const { code } = await train(
      '--task',
      'text',
      '--data',
      table,
      '--steps',
      '2',
      '--tokenizer',
      'byte',
      '--out',
      out(),
    );
    expect(code).toBe(0);
  });

  test('with a character that training did not see are refused by file and line', async () => {
    const run = out();
    const plain = file('plain.jsonl', '{"text": "ab", "label": "x"}\n{"text": "cd", "label": "y"}\n'.repeat(4));
    await train('--task', plain, '--tokenizer', 'char', '--steps', '1', '--out', run);
    const odd = file('odd.jsonl', '{"text": "ab", "label": "x"}\n{"text": "\u00e9", "label": "y"}\n');
    const { code, error } = await sluice(['evaluate', run, '--data', odd]);
    expect([code, error]).toEqual([1, expect.stringMatching(/line 2 of .*odd\.jsonl: .*4 characters only/)]);
  });

  test.each([
    ['{"text": "a", "label": "x"}\n{"text": "b"}\n', /line 2 of .* has "label"/],
    ['{"text": "a", "label": "x"}\nnonsense\n', /line 2 of .* is JSON/],
    [
      '{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}\n{"text": "c", "label": "y"}\n',
      /line 1 of .*: label is of a class with two/,
    ],
    ['{"text": "a", "label": "x"}\n{"text": "", "label": "x"}\n', /line 2 of .*: text has a value/],
  ])('%j are refused by file and line', async (text, message) => {
    const { code, error } = await train('--task', file('flawed.jsonl', text), '--out', out());
    expect([code, error]).toEqual([1, expect.stringMatching(message)]);
  });
});

describe('pictures', () => {
  test('of losses, confusion and boundary are SVG files in the run, or where they are asked for', async () => {
    const run = out();
    await train('--task', 'xor', '--steps', '30', '--out', run);
    const { out: shown } = await sluice(['evaluate', run, '--pictures']);
    const names = ['boundary.svg', 'confusion.svg', 'loss.svg'];
    expect(readdirSync(join(run, 'pictures')).sort()).toEqual(names);
    for (const name of names) {
      expect(shown).toContain(join(run, 'pictures', name));
      const svg = readFileSync(join(run, 'pictures', name), 'utf8');
      expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
      expect(svg).not.toContain('NaN');
    }
    const elsewhere = join(folder, 'elsewhere');
    const { json } = await sluice(['evaluate', run, '--pictures', elsewhere, '--json']);
    expect((json() as { pictures: string[] }).pictures).toEqual(
      ['loss', 'confusion', 'boundary'].map((name) => join(elsewhere, `${name}.svg`)),
    );
  });
});

describe('wrong usage', () => {
  test.each([
    [['--task', 'ring'], /a task is one of causal, mlm, rings.* Did you mean "rings"/],
    [['--task', 'rings', '--heads', '4'], /mlp for rings takes no heads, received 4/],
    [
      ['--task', 'rings', '--loss', 'binary-cross-entropy', '--label-smoothing', '0.1'],
      /--label-smoothing is of the loss cross-entropy/,
    ],
    [['--task', 'rings', '--model', 'perceptron', '--activation', 'relu'], /perceptron for rings takes no activation/],
    [['--task', 'rings', '--model', 'llama'], /rings is learned by mlp or perceptron/],
    [['--task', 'rings', '--data', 'x.csv'], /rings has data of its own/],
    [['--task', 'table'], /table is learned from a file/],
    [['--task', 'a.csv', '--data', 'b.csv'], /a file is named once/],
    [['--data', 'x.txt', '--target', 'y'], /llama for causal takes no target/],
    [['--task', 'rings', '--loss', 'mse'], /mse is a loss of values/],
  ])('%j exits with 2', async (flags, message) => {
    const run = out();
    const { code, error } = await train(...flags, '--out', run);
    expect([code, error]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(run)).toBe(false);
  });

  test('is to generate from a model that does not write', async () => {
    const run = out();
    await train('--task', 'rings', '--steps', '1', '--out', run);
    const { code, error } = await sluice(['generate', run, '--prompt', 'x']);
    expect([code, error]).toEqual([
      1,
      expect.stringMatching(/a run that writes is one of the task causal, received "rings"/),
    ]);
  });
});
