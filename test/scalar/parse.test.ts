import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { SluiceError } from '../../src/base/errors.js';
import { apply, constant, type Expression, variable } from '../../src/scalar/expression.js';
import type { Callable, Library } from '../../src/scalar/functions.js';
import { evaluate } from '../../src/scalar/interpret.js';
import { parse } from '../../src/scalar/parse.js';
import { toText } from '../../src/scalar/print.js';
import { simplify } from '../../src/scalar/simplify.js';
import { expressionsOf } from './random-expressions.js';

const x = variable('x');
const at = (text: string, value: number): number => evaluate(parse(text), { x: value });

function errorOf(text: string, variables?: readonly string[]): SluiceError {
  try {
    parse(text, variables);
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
  throw new Error(`${JSON.stringify(text)} was read`);
}

describe('text that was printed', () => {
  test.each([
    ['plain expressions', { variables: ['x', 'y', 'alphaP'] }],
    ['row expressions', { variables: ['x'], rows: true }],
  ])('is read back to the very same object: %s', (_, choice) => {
    fc.assert(
      fc.property(expressionsOf(choice), (expression) => {
        expect(parse(toText(expression), choice.variables)).toBe(expression);
      }),
      { numRuns: 1000 },
    );
  });

  test.each<[string, Expression]>([
    ['-0', constant(-0)],
    ['--3', constant(-3).neg()],
    ['-(3)', constant(3).neg()],
    ['-inf', constant(Number.NEGATIVE_INFINITY)],
    ['-(inf)', constant(Number.POSITIVE_INFINITY).neg()],
    ['nan', constant(Number.NaN)],
    ['pow(x, 2)', x.pow(2)],
    ['pow(-x, -0.5)', x.neg().pow(-0.5)],
    ['x - (x - 1)', x.sub(x.sub(1))],
    ['x/(x/2)', x.div(x.div(2))],
    ['x*(x/2)', x.mul(x.div(2))],
    ['-(x*x)', x.mul(x).neg()],
    ['-x*x', x.neg().mul(x)],
    ['x - -x', x.sub(x.neg())],
    ['1e+300*x', constant(1e300).mul(x)],
    ['where(x < 0, -x, x)', x.whereLess(0, x.neg(), x)],
    ['carryNan(x, 1)', apply('carryNan', x, 1)],
  ])('%s stands for one expression alone', (text, expression) => {
    expect(toText(expression)).toBe(text);
    expect(parse(text)).toBe(expression);
  });
});

describe('what people write', () => {
  test.each([
    ['x*tanh(softplus(x))', 0.7, 0.7 * Math.tanh(Math.log1p(Math.exp(0.7)))],
    ['2 + 3*4', 0, 14],
    ['8 - 2 - 1', 0, 5],
    ['16/4/2', 0, 2],
    ['-x^2', 3, -9],
    ['(-x)^2', 3, 9],
    ['2^-1', 0, 0.5],
    ['2^3^2', 0, 512],
    ['x**3', -2, -8],
    ['x^-2', -2, 0.25],
    ['x^0', 5, 1],
    ['x^16', 2, 65_536],
    ['x^0.5', 9, 3],
    ['+x', 2, 2],
    ['- - x', 2, 2],
    ['1 - -x', 2, 3],
    ['.5*x', 2, 1],
    ['5.*x', 2, 10],
    ['1e-3*x', 2, 0.002],
    ['2E+2', 0, 200],
    ['square(x)', -3, 9],
    ['log2(x)', 8, 3],
    ['cosh(x)', 1, Math.cosh(1)],
    ['pi + e', 0, Math.PI + Math.E],
    ['min(x, 1) + max(x, 1)', 4, 5],
    ['where(x > 0, x, 0.1*x)', -2, -0.2],
    ['where(x <= 0, 1, 2)', 0, 1],
    ['where(x >= 0, 1, 2)', 0, 1],
    ['where(x < 0, 1, 2)', 0, 2],
    ['where(x > 0, 1, 2)', 0, 2],
    ['\t x\n+\r\n1 ', 1, 2],
  ])('%j at %d is %d', (text, value, wanted) => {
    expect(at(text, value)).toBeCloseTo(wanted, 12);
  });

  test('a variable comes before a constant of its name', () => {
    expect(parse('e*x', ['x', 'e'])).toBe(variable('e').mul(x));
    expect(parse('e*x')).toBe(constant(Math.E).mul(x));
  });
});

describe('an error of a text names the place or the nearest name', () => {
  test.each([
    ['', 1, 'the end of the text'],
    ['x +', 4, 'the end of the text'],
    ['x x', 3, '"x"'],
    ['x + * 2', 5, '"*"'],
    ['x)', 2, '")"'],
    ['(x', 3, 'the end of the text'],
    ['x $ 2', 3, '"$"'],
    ['x*λ', 3, '"λ"'],
    ['x;process.exit()', 2, '";"'],
    ['tanh()', 6, '")"'],
    ['min(x 1)', 7, '"1"'],
    ['where(x, 1, 2)', 8, '","'],
    ['where(x < 1 < 2, 1, 2)', 13, '"<"'],
    ['1 2', 3, '"2"'],
    ['x < 1', 3, '"<"'],
    ['0x10', 2, '"x10"'],
    ['"x"', 1, '"\\""'],
  ])('%j at position %i', (text, position, what) => {
    const { code, message } = errorOf(text);
    expect(code).toBe('expression');
    expect(message).toContain(`position ${position} has ${what}`);
  });

  test.each([
    ['tanhh(x)', '"tanh"'],
    ['sofplus(x)', '"softplus"'],
    ['wher(x < 0, 1, 2)', '"where"'],
    ['y*2', '"x"'],
    ['pie*x', '"pi"'],
    ['constructor(x)', 'The primitives are:'],
    ['__proto__', 'Parameters are given as numbers'],
    ['select(x, x, x, x)', 'The primitives are:'],
    ['scale(x, 2)', 'The primitives are:'],
    ['relu(x)', 'The primitives are:'],
    ['rootSun(x, 1)', 'The primitives are:'],
  ])('%j suggests %s', (text, suggestion) => {
    const { code, message } = errorOf(text);
    expect(code).toBe('expression');
    expect(message).toContain(suggestion);
  });

  test.each([
    ['tanh(x, x)', 'tanh takes 1 operand, received 2'],
    ['min(x)', 'min takes 2 operands, received 1'],
    ['square(x, 1)', 'square takes 1 operand, received 2'],
    ['pow(x)', 'pow takes 2 operands, received 1'],
  ])('%j says how many operands there are', (text, message) => {
    expect(errorOf(text).message).toContain(message);
  });
});

test('an error lists the functions that people write, not those of stable forms and of lanes', () => {
  const { message } = errorOf('zzzzzzzzz(x)');
  for (const name of ['tanh', 'normalCdf', 'square', 'where', 'sum']) expect(message).toContain(` ${name}`);
  for (const name of ['carryNan', 'rootSum', 'tanhResidual', 'scale', 'mantissa', 'select', 'add'])
    expect(message).not.toMatch(new RegExp(`\\b${name}\\b`));
});

test('reductions are for rows alone', () => {
  expect(parse('sum(x)', ['x'], 'row')).toBe(x.sum());
  expect(() => parse('sum(x)', ['x'], 'number')).toThrow(/of single numbers, received "sum"\. sum runs along a row/);
});

describe('formulas of a library', () => {
  const bump = { inputs: ['x'], of: (u = x) => u.mul(u).neg().exp() };
  const blend = { inputs: ['a', 'b'], of: (a = x, b = x) => a.mul(b).add(1) };
  const share = { inputs: ['x'], of: (u = x) => u.div(u.sum()) };
  const tanh = { inputs: ['x'], of: (u = x) => u };
  const formulas: Readonly<Record<string, Callable>> = { bump, blend, share, tanh };
  const library: Library = {
    names: Object.keys(formulas),
    find: (name) => (Object.hasOwn(formulas, name) ? formulas[name] : undefined),
  };
  const read = (text: string, scope: 'row' | 'number' = 'number') => parse(text, ['x', 'y'], scope, library);

  test('are put in for their calls', () => {
    expect(read('2*bump(x + 1)')).toBe(constant(2).mul(bump.of(x.add(1))));
    expect(read('blend(bump(x), y)')).toBe(blend.of(bump.of(x), variable('y')));
    expect(read('share(x*x)', 'row')).toBe(share.of(x.mul(x)));
  });

  test('come after the primitives', () => {
    expect(read('tanh(x)')).toBe(x.tanh());
  });

  test.each([
    ['blend(x)', 'blend takes 2 operands, received 1'],
    ['bumpy(x)', 'one of the primitives or of the catalogue, received "bumpy". Did you mean "bump"?'],
    ['share(x)', 'share runs along a row'],
  ])('%j says what is wrong', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});

describe('hostile text', () => {
  test.each([
    ['brackets', `${'('.repeat(100_000)}x${')'.repeat(100_000)}`],
    ['calls', `${'exp('.repeat(100_000)}x${')'.repeat(100_000)}`],
    ['signs', `${'-'.repeat(100_000)}x`],
    ['plus signs', `${'+'.repeat(100_000)}x`],
    ['powers', `x${'^1.5'.repeat(100_000)}`],
    ['signed powers', `x${'^-x'.repeat(100_000)}`],
    ['conditions', `${'where('.repeat(100_000)}`],
  ])('nested too deep is an error, not a crash: %s', (_, text) => {
    const error = errorOf(text);
    expect(error.code).toBe('expression');
    expect(error.message.length).toBeLessThan(400);
  });

  test.each([
    ['a long sum', Array.from({ length: 20_000 }, () => 'x').join(' + ')],
    ['powers of powers', '((((x^16)^16)^16)^16)^16'],
  ])('%s is refused before it takes memory', (_, text) => {
    expect(errorOf(text).message).toContain('at most 4000 parts');
  });

  test('sums of hundreds of terms are read, printed, simplified and evaluated', () => {
    const text = Array.from({ length: 900 }, (_, i) => `${i % 7}*x`).join(' + ');
    const expression = parse(text);
    expect(toText(expression)).toBe(text);
    expect(evaluate(expression, { x: 1 })).toBe(2694);
    expect(simplify(expression)).toBe(constant(2694).mul(x));
  });

  test('garbage gives a SluiceError or an expression', () => {
    const alphabet = [
      ...'x+-*/^(),<>=. 0123456789eE_$"\'`\\{}[];λ\u0000\n',
      '**',
      '<=',
      'where(',
      'exp(',
      'inf',
      'nan',
      'pow(',
    ];
    const garbage = fc.oneof(
      fc.array(fc.constantFrom(...alphabet), { maxLength: 30 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary', maxLength: 20 }),
    );
    fc.assert(
      fc.property(garbage, (text) => {
        try {
          const expression = parse(text);
          expect(parse(toText(expression))).toBe(expression);
        } catch (error) {
          if (!(error instanceof SluiceError)) throw error;
          expect(error.code).toBe('expression');
        }
      }),
      { numRuns: 2000 },
    );
  });
});
