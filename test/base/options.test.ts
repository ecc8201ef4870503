import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { checkOptions, completeOptions, type OptionTable } from '../../src/base/options.js';

interface Options {
  readonly heads: number;
  readonly bias?: boolean;
  readonly deviation?: number;
  readonly headDim?: number;
}

const table = { heads: undefined, bias: false, deviation: 0.02, headDim: undefined } satisfies OptionTable<Options>;
const untyped = (options: unknown): Options => options as Options;

describe('options', () => {
  test('that are left out or undefined take the defaults of the table', () => {
    const completed = completeOptions('a layer', { heads: 2, bias: true } as Options, table);
    expect(completed).toEqual({ heads: 2, bias: true, deviation: 0.02, headDim: undefined });
    expect(completeOptions('a layer', untyped({ heads: 2, deviation: undefined }), table).deviation).toBe(0.02);
    expectTypeOf(completed).toEqualTypeOf<{
      readonly heads: number;
      readonly bias: boolean;
      readonly deviation: number;
      readonly headDim: number | undefined;
    }>();
  });

  test.each([
    ['dieviation', '"dieviation". Did you mean "deviation"?'],
    ['head_dim', 'Did you mean "headDim"?'],
    ['banana', 'received "banana". It knows heads, bias, deviation, headDim.'],
    ['__proto__', 'received "__proto__"'],
    ['toString', 'received "toString"'],
  ])('with the name %s are refused with the nearest', (name, message) => {
    const options = untyped(JSON.parse(`{"heads": 2, ${JSON.stringify(name)}: 1}`));
    for (const use of [checkOptions<Options>, completeOptions<Options, typeof table>]) {
      expect(() => use('a layer', options, table)).toThrow(
        expect.objectContaining({ code: 'name', message: expect.stringContaining(message) }),
      );
      expect(() => use('a layer', options, table)).toThrow('an option of a layer is one that it knows');
    }
  });

  test.each([[true], [null], ['bias'], [3]])('that are %j are refused', (options) => {
    expect(() => checkOptions('a layer', untyped(options), table)).toThrow(
      expect.objectContaining({ code: 'argument', rule: 'the options of a layer are an object' }),
    );
  });

  test('with known names alone pass', () => {
    fc.assert(
      fc.property(fc.subarray(Object.keys(table)), (names) => {
        checkOptions('a layer', untyped(Object.fromEntries(names.map((name) => [name, 1]))), table);
      }),
    );
  });
});
