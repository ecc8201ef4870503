import { expect, test } from 'vitest';
import { type Expression, variable } from '../../src/scalar/expression.js';
import { parse } from '../../src/scalar/parse.js';
import { CPrinter } from '../../src/scalar/print-c.js';

const x = variable('x');
const print = (type: 'float32' | 'float64', ...outputs: readonly Expression[]) =>
  new CPrinter(type).evaluate(outputs, new Map([[x, 'x']]));

test('a number is read back as it was, from the largest to the smallest', () => {
  const printer = new CPrinter('float64');
  for (const number of [0, 1, 0.1, 1 / 3, 2 ** 52 + 1023, Number.MAX_VALUE, Number.MIN_VALUE, 2 ** -1022, 3e-310]) {
    const [whole = '', power = ''] = printer.number(number).slice(2).split('p');
    const [digits = '', fraction = ''] = whole.split('.');
    expect((Number.parseInt(digits + fraction, 16) / 16 ** fraction.length) * 2 ** Number(power), whole).toBe(number);
  }
  expect(printer.number(-0)).toBe('(-0x0p0)');
  expect(new CPrinter('float32').number(0.1)).toBe(`${printer.number(Math.fround(0.1))}f`);
});

test('a product that only one sum uses is fused with it, one that is used twice is not', () => {
  const product = x.mul(3);
  expect(print('float64', product.add(1)).statements).toEqual(['const double t0 = double_fma(x, 0x1.8p1, 0x1p0);']);
  expect(print('float32', x.sub(product)).statements).toEqual(['const float t0 = float_fnma(x, 0x1.8p1f, x);']);
  expect(print('float64', product.add(1), product).statements).toHaveLength(2);
});

test('a minimum with a constant keeps a NaN of the other operand', () => {
  expect(print('float64', x.min(2)).statements).toEqual(['const double t0 = double_lesser(0x1p1, x);']);
});

test('what is known is not computed again, and a result may be a name or a number', () => {
  const known = new Map([
    [x, 'x'],
    [x.mul(x), 'square'],
  ]);
  const one = x.sub(x).add(1);
  expect(new CPrinter('float32').evaluate([x.mul(x), parse('2'), one.mul(x.mul(x))], known).results).toEqual([
    'square',
    '0x1p1f',
    't2',
  ]);
});

test('the text does not depend on what was made before', () => {
  const [a, b] = [variable('a').sub(7), variable('b').sub(7)];
  b.div(3);
  const names = new Map([
    [variable('a'), 'a'],
    [variable('b'), 'b'],
  ]);
  const text = new CPrinter('float64').evaluate([a.div(3).add(b.div(3))], names).statements;
  expect(text.map((line) => line.split(' = ')[1])).toEqual([
    'a - 0x1.cp2;',
    't0 / 0x1.8p1;',
    'b - 0x1.cp2;',
    't2 / 0x1.8p1;',
    't1 + t3;',
  ]);
});
