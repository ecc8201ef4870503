import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { catalogue, cellNames } from '../../src/activations/index.js';
import { sluice } from '../support/terminal.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-'));
});
afterAll(() => rm(folder, { recursive: true }));

const activations = (...args: string[]) => sluice(['activations', ...args]);
const evaluated = async (...args: string[]) => (await activations('eval', ...args, '--json')).json();
const devices = ['reference', 'wasm'];

describe('activations list', () => {
  test('--json is an array of every formula with exactly the keys of the contract', async () => {
    const { code, json } = await activations('list', '--json');
    const listed = json() as Record<string, unknown>[];
    expect(code).toBe(0);
    expect(listed.map(({ name }) => name)).toEqual([...catalogue().map(({ name }) => name), ...cellNames]);
    const keys = ['name', 'kind', 'aliases', 'formula', 'source', 'parameters', 'properties', 'cost'];
    for (const entry of listed) expect(Object.keys(entry)).toEqual(keys);
  });

  test('gives parameters as numbers and says which are learned', async () => {
    const listed = (await activations('list', '--json')).json() as Record<string, unknown>[];
    const prelu = listed.find(({ name }) => name === 'prelu');
    expect(prelu).toMatchObject({ parameters: { slope: 0.25 }, properties: { learned: ['slope'] } });
  });

  test('--kind takes one kind alone', async () => {
    const listed = (await activations('list', '--kind', 'row', '--json')).json() as { kind: string }[];
    expect(listed.map(({ kind }) => kind)).toEqual(['row', 'row', 'row', 'row']);
  });

  test('has cells, with their gates, states and costs', async () => {
    const listed = (await activations('list', '--kind', 'cell', '--json')).json() as Record<string, unknown>[];
    expect(listed.map(({ name }) => name)).toEqual(['rnn', 'lstm', 'gru']);
    expect(listed[1]).toMatchObject({
      kind: 'cell',
      formula: expect.stringContaining("c' = sigmoid(f)*c + sigmoid(i)*tanh(g)"),
      properties: { gates: ['i', 'f', 'g', 'o'], states: ['h', 'c'], activations: { gate: 'sigmoid' } },
      cost: { value: { special: 5 } },
    });
  });

  test('for people is a line for each formula', async () => {
    const { out } = await activations('list', '--kind', 'gate');
    for (const { name } of catalogue().filter(({ kind }) => kind === 'gate'))
      expect(out).toMatch(new RegExp(`^${name} `, 'm'));
  });
});

describe('activations show', () => {
  test('tells what a gradient meets at each step back through a cell', async () => {
    const { out } = await activations('show', 'LSTM');
    expect(out).toMatch(/^lstm {2}cell$/m);
    expect(out).toMatch(/dc'\/dc +sigmoid\(f\)$/m);
    const shown = (await activations('show', 'gru', '--json')).json();
    expect(shown).toMatchObject({ name: 'gru', derivatives: { "dh'/dh": 'sigmoid(z)' } });
    expect((await activations('show', 'lstm', '--param', 'a=1')).error).toMatch(/lstm has no parameters/);
    expect((await activations('eval', 'lstm', '--x=1')).error).toMatch(/A cell has several inputs: see .* show lstm/);
  });

  test('tells formula, derivative, source, kinks and cost, and draws', async () => {
    const { out } = await activations('show', 'hardSwish');
    for (const part of [
      'LaTeX',
      'derivative by x',
      'arXiv:1905.02244',
      'kink at -3',
      'kink at 3',
      'special functions',
    ]) {
      expect(out).toContain(part);
    }
    expect(out).toContain("f'(x) of hardSwish");
  });

  test('says on which numbers a function has a value', async () => {
    expect((await activations('show', 'log(x)')).out).toMatch(
      /domain +\(0, ∞\); what is said below is about this alone/,
    );
    expect((await activations('show', 'silu')).out).not.toContain('domain');
  });

  test('takes aliases and parameters', async () => {
    const shown = (await activations('show', 'leaky_relu', '--param', 'slope=0.2', '--json')).json();
    expect(shown).toMatchObject({ name: 'leakyRelu', parameters: { slope: 0.2 }, latex: expect.any(String) });
  });

  test('takes a formula by its text', async () => {
    const shown = (await activations('show', 'x*tanh(softplus(x))', '--json')).json();
    expect(shown).toMatchObject({ kind: 'activation', formula: 'x*tanh(softplus(x))', parameters: {} });
  });

  test('takes parameters of a formula by its text, also as learned', async () => {
    const text = 'x*sigmoid(beta*x)';
    const shown = (await activations('show', text, '--param', 'beta=1.5', '--json')).json();
    expect(shown).toMatchObject({ formula: text, parameters: { beta: 1.5 }, properties: { learned: [] } });
    const own = (await activations('show', text, '--param=beta=2', '--param=beta=learned', '--json')).json();
    expect(own).toMatchObject({ parameters: { beta: 2 }, properties: { learned: ['beta'] } });
  });

  test.each(catalogue().map(({ name }) => name))('knows %s', async (name) => {
    expect(await activations('show', name)).toMatchObject({ code: 0, error: '' });
  });
});

describe.each(devices)('activations eval on %s', (device) => {
  const on = ['--device', device];

  test('gives x as rounded to float32, y and dy as exact float32 widened', async () => {
    const result = (await evaluated('gelu', '--x=-1,0.1,2', ...on)) as Record<string, number[]>;
    expect(Object.keys(result)).toEqual(['name', 'device', 'parameters', 'x', 'y', 'dy']);
    expect(result).toMatchObject({ name: 'gelu', device, parameters: {} });
    expect(result['x']).toEqual([-1, Math.fround(0.1), 2]);
    for (const key of ['y', 'dy']) expect(result[key]?.map(Math.fround)).toEqual(result[key]);
    expect(result['y']?.[0]).toBeCloseTo(-0.15865525393, 7);
  });

  test('writes what JSON has no number for as strings, and reads them', async () => {
    const { x, y } = (await evaluated('identity', '--x=NaN,Infinity,-Infinity,-0,1e39', ...on)) as Record<
      string,
      unknown
    >;
    expect(x).toEqual(['NaN', 'Infinity', '-Infinity', '-0', 'Infinity']);
    expect(y).toEqual(x);
  });

  test('reads inputs from a file, and its own output again', async () => {
    const first = (await evaluated('silu', '--x=0.3,-0,NaN,-1e-30', ...on)) as Record<string, unknown>;
    const path = join(folder, `${device}.json`);
    await writeFile(path, JSON.stringify(first['x']));
    expect(await evaluated('silu', `--x=@${path}`, ...on)).toEqual(first);
  });

  test('of a gate takes both inputs and gives both derivatives', async () => {
    const result = (await evaluated('bilinear', '--gate=2,3', '--value=5,-7', ...on)) as Record<string, unknown>;
    expect(Object.keys(result)).toEqual(['name', 'device', 'parameters', 'gate', 'value', 'y', 'dGate', 'dValue']);
    expect(result).toMatchObject({ gate: [2, 3], value: [5, -7], y: [10, -21], dGate: [5, -7], dValue: [2, 3] });
  });

  test('of a row function gives the Jacobian, of several rows several', async () => {
    const result = (await evaluated('softmax', '--x=0,0', ...on)) as Record<string, unknown>;
    expect(Object.keys(result)).toEqual(['name', 'device', 'parameters', 'x', 'y', 'jacobian']);
    expect(result).toMatchObject({ x: [0, 0], y: [0.5, 0.5] });
    expect(result['jacobian']).toEqual([
      [0.25, -0.25],
      [-0.25, 0.25],
    ]);
    const path = join(folder, 'rows.json');
    await writeFile(path, '[[0,0],[7]]');
    expect(await evaluated('softmax', `--x=@${path}`, ...on)).toMatchObject({ y: [[0.5, 0.5], [1]] });
  });

  test('of a formula by its text takes parameters', async () => {
    const own = (await evaluated('x*sigmoid(beta*x)', '--x=-1,2', '--param', 'beta=1.5', ...on)) as object;
    const known = (await evaluated('swish', '--x=-1,2', '--param', 'beta=1.5', ...on)) as object;
    expect({ ...own, name: 'swish' }).toEqual(known);
  });

  test('takes parameters, learned ones as float32 holds them', async () => {
    expect(await evaluated('elu', '--x=1', '--param', 'alpha=0.2', ...on)).toMatchObject({
      parameters: { alpha: 0.2 },
    });
    const { parameters, y } = (await evaluated('prelu', '--x=-1', '--param=slope=0.1', ...on)) as Record<
      string,
      unknown
    >;
    expect(parameters).toEqual({ slope: Math.fround(0.1) });
    expect(y).toEqual([-Math.fround(0.1)]);
  });
});

test('activations eval shows people the fewest digits that give a float32 back', async () => {
  const { out } = await activations('eval', '2*x', '--x=0.1,-0');
  expect(out).toBe('  x    y  dy\n0.1  0.2   2\n -0   -0   2\n');
});

describe('activations eval refuses', () => {
  test.each([
    ['inputs that are not numbers', ['relu', '--x=1,a'], 'a list of numbers'],
    ['an empty input', ['relu', '--x='], 'a list of numbers'],
    ['no input', ['relu'], 'relu takes --x, received "none". For example --x=1,2.'],
    [
      'numbers that stand alone',
      ['relu', '1', '2'],
      'relu takes its inputs as --x, received "1". Write them with commas: --x=1,2.',
    ],
    ['numbers behind the flag', ['relu', '--x', '1', '-2'], 'Write them with commas: --x=1,-2.'],
    ['the inputs of another kind', ['relu', '--gate=1'], 'relu takes --x'],
    ['half a gate', ['glu', '--gate=1'], 'glu takes --gate and --value'],
    ['gates and values of unequal number', ['glu', '--gate=1,2', '--value=1'], 'received 2 and 1'],
    ['an unknown parameter', ['elu', '--x=1', '--param', 'aplha=1'], 'Did you mean "alpha"?'],
    ['a parameter that is not a number', ['elu', '--x=1', '--param', 'alpha=big'], '--param gives a name and a number'],
    ['an infinite parameter', ['elu', '--x=1', '--param', 'alpha=Infinity'], 'a finite number'],
    ['an unknown name', ['rely', '--x=1'], 'Did you mean "relu"?'],
    ['a formula in another variable', ['y+1', '--x=1'], 'uses the variables x'],
    ['a parameter that its text has not', ['x*beta', '--x=1', '--param=beta=1', '--param=b=1'], 'the parameters beta'],
    ['a learned parameter without a value', ['x*beta', '--x=1', '--param=beta=learned'], 'uses the variables x'],
  ])('%s', async (_, args, message) => {
    const { code, out, error } = await activations('eval', ...args);
    expect([code, out]).toEqual([2, '']);
    expect(error).toContain(message);
  });

  test.each([
    ['a missing file', 'missing.json', undefined, 'can be read'],
    ['a file that is not JSON', 'text.json', '1, 2', 'is JSON'],
  ])('%s', async (_, name, content, message) => {
    const path = join(folder, name);
    if (content !== undefined) await writeFile(path, content);
    const { code, error } = await activations('eval', 'relu', `--x=@${path}`);
    expect(code).toBe(1);
    expect(error).toContain(message);
  });

  test('a file of something else than numbers', async () => {
    const path = join(folder, 'object.json');
    await writeFile(path, '{"x": [1]}');
    expect(await activations('eval', 'relu', `--x=@${path}`)).toMatchObject({ code: 2 });
  });
});

describe('activations plot', () => {
  test('draws, writes an SVG file of several functions and says so', async () => {
    const path = join(folder, 'plot.svg');
    const { code, out } = await activations('plot', 'silu', 'gelu', 'x*x', '--out', path);
    expect(code).toBe(0);
    expect(out).toMatch(/^f\(x\) of gelu$/m);
    expect(out.endsWith(`wrote ${path}\n`)).toBe(true);
    const text = await readFile(path, 'utf8');
    for (const name of ['silu', 'gelu', 'x*x']) expect(text).toContain(`>${name}</text>`);
  });

  test('draws in the terminal, with colours in one chart and without in one for each', async () => {
    const plain = await activations('plot', 'silu', 'relu');
    expect(plain.out.match(/^f\(x\) of \w+$/gm)).toHaveLength(2);
    const colored = await sluice(['activations', 'plot', 'silu', 'relu'], { color: true });
    expect(colored.out).toContain('f(x) of silu, relu (cyan, yellow)');
  });

  test.each([
    ['x', ["f'(x)", '0.5', '1', '0']],
    ['step', ["f'(x)", '0.04', '0.02', '0', '-0.02', '-0.04']],
    ['100000*x', ['f(x)', '500000', '0', '-500000']],
  ])('labels the axis of %s in full', async (name, [title = '', ...labels]) => {
    const [, drawn = ''] = (await activations('plot', name)).out.split(`${title} of ${name}\n`);
    const [chart = ''] = drawn.split('\n\n');
    const written = chart.split('\n').flatMap((line) => /^\s*(\S+)┤/.exec(line)?.[1] ?? []);
    expect(written.sort()).toEqual(labels.sort());
  });

  test('draws one line, without pieces beside it', async () => {
    const [, drawn = ''] = (await activations('plot', 'x')).out.split('f(x) of x\n');
    const rows = (drawn.split('\n\n')[0] ?? '').split('\n').slice(0, -2);
    const lines = rows.map((row) => row.slice(row.search(/[│┤▲]/) + 1).trim()).filter((row) => row !== '');
    expect(lines.length).toBeGreaterThan(8);
    for (const line of lines) expect(line).toMatch(/^[┏┗]?━+[┛┓]?$/);
  });

  test('--json gives the points over the range', async () => {
    const { json } = await activations('plot', 'relu', '--range', '-1:3', '--json');
    expect(json()).toMatchObject({ names: ['relu'], range: [-1, 3], file: null });
  });

  test('to a folder that is not there fails with a reason', async () => {
    const { code, error } = await activations('plot', 'relu', '--out', join(folder, 'none', 'a.svg'));
    expect(code).toBe(1);
    expect(error).toContain('can be written');
  });

  test.each([
    [['relu', '--range', '1']],
    [['relu', '--range', '2:1']],
    [['softmax']],
    [['silu', 'elu', '--param', 'alpha=1']],
  ])('%j is wrong usage', async (args) => {
    expect(await activations('plot', ...args)).toMatchObject({ code: 2, out: '' });
  });
});

test('activations bench gives times for values and gradients beside a copy', async () => {
  const { json, error } = await activations(
    'bench',
    'silu',
    'swiglu',
    'softmax',
    '--elements',
    '4096',
    '--repetitions',
    '1',
    '--device',
    'wasm',
    '--json',
  );
  expect(json()).toMatchObject({
    device: 'wasm',
    elements: 4096,
    copy: { nanosecondsPerElement: expect.any(Number), gigabytesPerSecond: expect.any(Number) },
    results: ['silu', 'swiglu', 'softmax'].map((name) => ({
      name,
      value: { nanosecondsPerElement: expect.any(Number), gigaelementsPerSecond: expect.any(Number) },
      gradient: { nanosecondsPerElement: expect.any(Number) },
    })),
  });
  expect(error).toContain('2/3 swiglu');
});
