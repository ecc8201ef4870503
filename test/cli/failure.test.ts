import { describe, expect, test } from 'vitest';
import { SluiceError } from '../../src/base/errors.js';
import { failureOf } from '../../src/cli/failure.js';
import { UsageError } from '../../src/cli/usage.js';
import { sluice } from '../support/terminal.js';

describe('a failure for scripts', () => {
  test.each<[unknown, object]>([
    [
      new SluiceError('data', { rule: 'a rule', received: [1, 2], remedy: 'Do this.' }),
      { code: 'data', rule: 'a rule', received: [1, 2], remedy: 'Do this.' },
    ],
    [
      new UsageError(new SluiceError('name', { rule: 'a rule', received: 'x', remedy: 'Do this.' })),
      { code: 'name', rule: 'a rule', received: 'x', remedy: 'Do this.' },
    ],
    [
      new SluiceError('internal', { rule: 'a rule' }),
      { code: 'internal', rule: 'a rule', received: null, remedy: null },
    ],
    [
      new SluiceError('data', { rule: 'r', received: 12n, remedy: 'Do this.' }),
      { code: 'data', rule: 'r', received: '12', remedy: 'Do this.' },
    ],
    [
      new SluiceError('data', { rule: 'r', received: Number.NaN, remedy: 'Do this.' }),
      { code: 'data', rule: 'r', received: 'NaN', remedy: 'Do this.' },
    ],
    [new UsageError('said so'), { code: 'argument', rule: 'said so', received: null, remedy: null }],
    [new TypeError('x is not y\nmore'), { code: 'internal', rule: 'x is not y', received: null, remedy: null }],
    ['thrown', { code: 'internal', rule: 'thrown', received: null, remedy: null }],
  ])('%s has all parts', (error, wanted) => {
    expect(failureOf(error)).toEqual(wanted);
  });
});

describe('with --json a failure is one object on standard output, beside the line on standard error', () => {
  test.each<[string, readonly string[], number, object]>([
    ['an unknown command', ['generat'], 2, { code: 'name', received: 'generat', remedy: 'Did you mean generate?' }],
    ['an unknown option', ['doctor', '--jso'], 2, { code: 'name', received: '--jso', remedy: 'Did you mean --json?' }],
    [
      'a formula with a minus',
      ['activations', 'show', '-x^2'],
      2,
      { code: 'name', received: '-x^2', remedy: expect.stringContaining('"(-x^2)", or last, after --: -- "-x^2"') },
    ],
    ['no command', [], 2, { code: 'name', rule: "unknown option '--json'" }],
    ['a missing argument', ['generate'], 2, { code: 'argument', rule: "missing required argument 'run'" }],
    [
      'a number out of range',
      ['generate', 'x', '--top-k', '2.5'],
      2,
      {
        code: 'argument',
        rule: "option '--top-k <number>' takes another value",
        received: '2.5',
        remedy: 'It is a whole number from 0 on.',
      },
    ],
    ['a wrong setting', ['train', '--data', 'x', '--batch', '0'], 2, { code: 'argument', received: 0 }],
    ['a name', ['activations', 'show', 'gellu'], 2, { code: 'name', received: 'gellu' }],
    ['a folder that is no run', ['generate', 'nowhere'], 1, { code: 'checkpoint', received: 'nowhere' }],
    ['a device', ['activations', 'eval', 'relu', '--x=1', '--device', 'webgpu'], 1, { code: 'device' }],
  ])('%s', async (_, args, wanted, parts) => {
    const ran = await sluice([...args, '--json']);
    expect(ran.code).toBe(wanted);
    expect(ran.error).toMatch(/^error: /);
    const { error } = ran.json() as { error: object };
    expect(Object.keys(error)).toEqual(['code', 'rule', 'received', 'remedy']);
    expect(error).toMatchObject(parts);
  });

  test('and nothing without it', async () => {
    expect(await sluice(['generate', 'nowhere'])).toMatchObject({ code: 1, out: '' });
  });
});
