import { afterEach, describe, expect, test } from 'vitest';
import { sluice } from '../support/terminal.js';

afterEach(() => {
  delete process.env['SLUICE_DEVICE'];
  delete process.env['SLUICE_THREADS'];
});

const relu = ['activations', 'eval', 'relu', '--x=1'];

describe('the command line', () => {
  test('tells its version and its help on standard output and succeeds', async () => {
    expect(await sluice(['--version'])).toMatchObject({ code: 0, out: '1.2.3\n', error: '' });
    const help = await sluice(['--help']);
    expect(help).toMatchObject({ code: 0, error: '' });
    expect(help.out).toContain('activations');
  });

  test.each([
    ['list'],
    ['show'],
    ['eval'],
    ['plot'],
    ['bench'],
  ])('activations %s explains itself and takes --json', async (name) => {
    const { code, out } = await sluice(['activations', name, '--help']);
    expect(code).toBe(0);
    expect(out).toContain('--json');
  });

  test.each([
    [['activatoins'], 'activations'],
    [['activations', 'lst'], 'list'],
    [['activations', 'list', '--jsno'], '--json'],
    [['docter'], 'doctor'],
  ])('%j is wrong usage, and the nearest name is suggested', async (args, nearest) => {
    const { code, out, error } = await sluice(args);
    expect([code, out]).toEqual([2, '']);
    expect(error).toContain(`Did you mean ${nearest}?`);
  });

  test.each([
    [[]],
    [['activations']],
    [['activations', 'show']],
    [['activations', 'list', '--kind', 'gates']],
    [[...relu, '--threads', '0']],
    [[...relu, '--threads', 'two']],
    [[...relu, '--device', 'wsam']],
    [['activations', 'show', 'x*']],
    [['activations', 'show', 'gellu']],
  ])('%j is wrong usage', async (args) => {
    const { code, error } = await sluice(args);
    expect(code).toBe(2);
    expect(error).not.toBe('');
  });

  test.each([
    [['train', 'en.txt'], 'sluice train takes flags alone, received "en.txt". Did you mean --data en.txt?'],
    [['train', 'demo'], 'Did you mean --preset demo?'],
    [['train', '--steps', '5', 'a text.txt'], "Did you mean --data 'a text.txt'?"],
    [['generate', 'runs/a', 'Once upon'], 'one folder, and flags, received "Once upon". Did you mean --prompt \'Once'],
    [['evaluate', 'runs/a', 'en.txt'], 'Did you mean --data en.txt?'],
  ])('%j has a word too many, and the flag for it is named', async (args, message) => {
    const { code, out, error } = await sluice(args);
    expect([code, out]).toEqual([2, '']);
    expect(error).toContain(message);
  });

  test.each([
    ['-x^2'],
    ['-x'],
    ['-2*x'],
    ['-tanh(x)'],
  ])('a formula %s that starts with a minus is told from an option', async (formula) => {
    const { code, error } = await sluice(['activations', 'eval', formula, '--x=2']);
    expect(code).toBe(2);
    expect(error).toBe(
      `error: unknown option '${formula}'. A formula that starts with - goes in parentheses, "(${formula})", or last, after --: -- "${formula}".\n`,
    );
    const wrapped = await sluice(['activations', 'eval', `(${formula})`, '--x=2', '--json']);
    const last = await sluice(['activations', 'eval', '--x=2', '--json', '--', formula]);
    expect(last.json()).toMatchObject({ y: (wrapped.json() as { y: number[] }).y });
  });

  test('an option that is none is not taken for a formula', async () => {
    for (const option of ['-d', '-max', '--x^2']) {
      expect((await sluice(['activations', 'list', option])).error).not.toContain('formula');
    }
  });

  test('a failure that is not wrong usage exits with 1 and one line', async () => {
    const { code, out, error } = await sluice([...relu, '--device', 'webgpu']);
    expect([code, out]).toEqual([1, '']);
    expect(error).toMatch(/^error: the webgpu device is not available[^\n]*\n$/);
  });

  test('--debug shows the stack of an error, and only it does', async () => {
    const args = ['activations', 'show', 'gellu'];
    expect((await sluice(args)).error).not.toContain('\n    at ');
    expect((await sluice([...args, '--debug'])).error).toContain('\n    at ');
  });

  test('the environment beats the default and a flag beats the environment', async () => {
    process.env['SLUICE_DEVICE'] = 'reference';
    expect((await sluice([...relu, '--json'])).json()).toMatchObject({ device: 'reference' });
    expect((await sluice([...relu, '--json', '--device', 'wasm'])).json()).toMatchObject({ device: 'wasm' });
    process.env['SLUICE_DEVICE'] = 'wsam';
    expect(await sluice(relu)).toMatchObject({ code: 2 });
  });

  test('SLUICE_THREADS=none hides the threads', async () => {
    process.env['SLUICE_THREADS'] = 'none';
    expect((await sluice(['activations', 'bench', 'relu', '--elements', '8', '--json'])).error).toContain('1 thread;');
  });
});
