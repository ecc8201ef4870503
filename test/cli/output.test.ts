import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { brief, jsonText, Output, panel, singleText, table } from '../../src/cli/output.js';
import type { Terminal } from '../../src/cli/terminal.js';

function caught(parts: Partial<Terminal> = {}): { terminal: Terminal; out: string[]; error: string[] } {
  const [out, error]: [string[], string[]] = [[], []];
  const terminal = {
    out: (text: string) => void out.push(text),
    error: (text: string) => void error.push(text),
    interactive: false,
    color: false,
    columns: 40,
    ...parts,
  };
  return { terminal, out, error };
}

describe('JSON', () => {
  test('writes as strings what JSON cannot write as numbers', () => {
    const value = { a: [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0], b: { c: -0 } };
    expect(jsonText(value)).toBe('{"a":["NaN","Infinity","-Infinity","-0",0],"b":{"c":"-0"}}');
  });

  test('gives back every float as it was', () => {
    fc.assert(
      fc.property(fc.double(), (x) => {
        expect(Number(JSON.parse(jsonText(x)))).toBe(x);
      }),
    );
  });
});

describe('a float32', () => {
  test.each([
    [Math.fround(0.1), '0.1'],
    [Math.fround(-2e-45), '-1e-45'],
    [16_777_216, '16777216'],
    [-0, '-0'],
    [Number.NaN, 'NaN'],
    [Number.NEGATIVE_INFINITY, '-Infinity'],
  ])('%d is written %s', (value, text) => {
    expect(singleText(value)).toBe(text);
  });

  test('is written so that it comes back, and with no digit more than that takes', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true }), (x) => {
        const text = singleText(x);
        expect(Math.fround(Number(text))).toBe(x);
        const digits = text
          .replace(/e.*/, '')
          .replace(/\D/g, '')
          .replace(/^0+|0+$/g, '').length;
        if (Number.isFinite(x) && digits > 1) expect(Math.fround(Number(x.toPrecision(digits - 1)))).not.toBe(x);
      }),
    );
  });
});

describe('a table', () => {
  test('aligns its columns and ends no line in spaces', () => {
    const lines = table(
      [{ title: 'name' }, { title: 'n', align: 'right' }],
      [
        ['a', '1'],
        ['longer', '100'],
      ],
    );
    expect(lines).toEqual(['name      n', 'a         1', 'longer  100']);
  });

  test('is cut to the width it has', () => {
    const [, line] = table([{ title: 'x' }], [['abcdefghij']], 5);
    expect(line).toBe('abcd…');
  });

  test('is whole where nobody watches', () => {
    const { terminal, out } = caught();
    new Output(terminal, {}).table([{ title: 'x' }], [['a'.repeat(100)]]);
    expect(out.join('')).toContain('a'.repeat(100));
  });
});

test('a panel puts values under each other', () => {
  expect(
    panel([
      ['a', '1'],
      ['long name', '2'],
    ]),
  ).toEqual(['a          1', 'long name  2']);
});

test.each([
  [0.1 + 0.2, '0.3'],
  [Number.NaN, 'NaN'],
  [Number.NEGATIVE_INFINITY, '-∞'],
  [-0, '-0'],
  [123456.789, '123457'],
  [-1.5e-7, '-1.5e-7'],
])('%s is %s in brief', (value, text) => {
  expect(brief(value)).toBe(text);
});

describe('output', () => {
  test('under --json is the result alone, on one line', () => {
    const { terminal, out } = caught();
    const output = new Output(terminal, { json: true });
    output.lines('for people');
    output.panel([['a', 'b']]);
    output.result({ x: 1 });
    expect(out.join('')).toBe('{"x":1}\n');
  });

  test('for people leaves the result out', () => {
    const { terminal, out } = caught();
    const output = new Output(terminal, {});
    output.lines('a', 'b');
    output.result({ x: 1 });
    expect(out.join('')).toBe('a\nb\n');
  });

  test('tells its progress on standard error, unless it is quiet', () => {
    const { terminal, out, error } = caught();
    new Output(terminal, {}).progress('half');
    new Output(terminal, { quiet: true }).progress('more');
    new Output(terminal, { quiet: true, json: true }).warn('careful');
    expect([out, error]).toEqual([[], ['half\n', 'warning: careful\n']]);
  });

  test('has colours only where the terminal wants them', () => {
    expect(new Output(caught().terminal, {}).style('bold', 'x')).toBe('x');
    expect(new Output(caught({ color: true }).terminal, {}).style('bold', 'x')).toBe('\u001b[1mx\u001b[22m');
  });
});
