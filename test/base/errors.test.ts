import { describe, expect, test } from 'vitest';
import { SluiceError, show } from '../../src/base/errors.js';

describe('an error', () => {
  test('says the rule, the value received and the remedy, in this order', () => {
    const error = new SluiceError('shape', { rule: 'widths agree', received: [8, 63], remedy: 'Give 64.' });
    expect(error.message).toBe('widths agree, received [8, 63]. Give 64.');
    expect([error.name, error.code, error.rule, error.remedy]).toEqual([
      'SluiceError',
      'shape',
      'widths agree',
      'Give 64.',
    ]);
    expect(error).toBeInstanceOf(Error);
    expect(error.received).toEqual([8, 63]);
  });

  test('leaves out what it was not given', () => {
    expect(new SluiceError('internal', { rule: 'this cannot be' }).message).toBe('this cannot be.');
    expect(new SluiceError('name', { rule: 'a name is known', remedy: 'Give one.' }).message).toBe(
      'a name is known. Give one.',
    );
  });

  test('says a value that is undefined when it was given', () => {
    const parts = { rule: 'a width is given', received: undefined, remedy: 'Give 64.' };
    expect(new SluiceError('argument', parts).message).toBe('a width is given, received undefined. Give 64.');
  });

  test('keeps its cause, and has none otherwise', () => {
    const cause = new Error('below');
    expect(new SluiceError('data', { rule: 'a', remedy: 'B.', cause }).cause).toBe(cause);
    expect('cause' in new SluiceError('data', { rule: 'a', remedy: 'B.' })).toBe(false);
  });

  test('has a remedy unless it is our own bug', () => {
    // @ts-expect-error the compiler asks for the remedy
    expect(new SluiceError('data', { rule: 'a' }).remedy).toBeUndefined();
  });
});

test.each([
  ['text', '"text"'],
  ['a "quoted" one', '"a \\"quoted\\" one"'],
  ['x'.repeat(200), `"${'x'.repeat(77)}..."`],
  [[2, [3, -0], 'a'], '[2, [3, -0], "a"]'],
  [{ step: 3 }, '{"step":3}'],
  [Array.from({ length: 20 }, (_, i) => i), '[0, 1, 2, 3, 4, 5, 6, 7, ... (20 in all)]'],
  [{ text: 'x'.repeat(200) }, `{"text":"${'x'.repeat(68)}...`],
  [{ count: 1n }, 'a Object'],
  [-0, '-0'],
  [Number.NaN, 'NaN'],
  [null, 'null'],
  [12n, '12'],
])('%o is shown as a reader would write it', (value, text) => {
  expect(show(value)).toBe(text);
});
