import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { catalogue } from '../../src/activations/catalogue.js';
import { gradient } from '../../src/scalar/differentiate.js';
import { constant, substitute, variable } from '../../src/scalar/expression.js';
import { evaluate } from '../../src/scalar/interpret.js';
import { parse } from '../../src/scalar/parse.js';
import { toText } from '../../src/scalar/print.js';
import { simplify } from '../../src/scalar/simplify.js';
import { expressionsOf } from './random-expressions.js';
import { measure } from './running-error.js';

const [x, y] = [variable('x'), variable('y')];
/** Of sizes that float32 has: what float64 loses in subnormal numbers is no matter here. */
const within = (bound: number) => fc.integer({ min: -bound * 1e4, max: bound * 1e4 }).map((count) => count / 1e4);
const points = fc.record({ x: fc.oneof(within(4), within(200)), y: within(4) });
const constants = fc.oneof(fc.constantFrom(0, 1, 2, 3, 0.5, -1, -2, 4, -4), within(8));

/** What the rules look for: terms that pair with each other or with a constant, factors that pair. */
const pieces = [
  ...['1', 'x', 'tanh(x)', 'sigmoid(x)', 'exp(x)', 'exp(-x)', 'expm1(x)', 'normalCdf(x)', 'erf(x)', 'tanh(x)*tanh(x)'],
  ...[
    'sqrt(x*x + 4)',
    '1/(1 + abs(x))',
    'abs(x)/((1 + abs(x))*(1 + abs(x)))',
    '1/(1 + exp(x))',
    'sigmoid(-x)',
    'signum(x)',
  ],
  ...['x/(x*x + 1)', 'x*x*x/((x*x + 1)*(x*x + 1))', 'log(1 + exp(x))', 'tanh(softplus(x))', 'sigmoid(-2*softplus(x))'],
  ...['where(x < 0, 0, x)', 'where(x < 0, 1, 2)', 'where(x < 0, x, 0)', 'log(sigmoid(x))', 'abs(-x)'],
].map((text) => parse(text));
const scaled = fc
  .tuple(
    fc.constantFrom(...pieces),
    fc.constantFrom(1, -1, 2, 3, -3, 0.5, 1.7),
    fc.constantFrom(1, -1, 2, 3, 6, -3, 0.1),
  )
  .map(([piece, times, by]) => piece.mul(times).div(by));
const alike = fc.constantFrom(x, x, x.mul(2), x.neg(), x.div(3), x.mul(y), y.sub(x));
const composed = fc
  .tuple(
    scaled,
    scaled,
    scaled,
    fc.constantFrom('add', 'sub', 'mul', 'div'),
    fc.constantFrom('add', 'sub', 'mul'),
    alike,
  )
  .map(([a, b, c, first, second, u]) => substitute(a[first as 'add'](b)[second as 'add'](c), { x: u }));

describe('simplification', () => {
  test.each([
    ['every expression', expressionsOf({ variables: ['x', 'y'], constants }), 3000],
    ['what the stable forms are made for', composed, 3000],
  ])('preserves the value of %s, within the rounding of the two', (_, expressions, numRuns) => {
    let compared = 0;
    fc.assert(
      fc.property(expressions, fc.array(points, { minLength: 4, maxLength: 4 }), (e, at) => {
        const simple = simplify(e);
        for (const values of at) {
          const [before, after] = [measure(e, values), measure(simple, values)];
          // A branch that is not taken may have overflowed.
          const rounding = Number.isFinite(after.error)
            ? before.error + after.error
            : 1e-10 * (1 + Math.abs(before.value));
          const tolerance = 4 * rounding + 1e-25;
          // Where the original lost its digits there is nothing to compare with.
          if (!(before.error < 1e-9 * (1 + Math.abs(before.value)) && Math.abs(before.value) < 1e100)) continue;
          compared++;
          if (Math.abs(before.value - after.value) <= tolerance) continue;
          const [from, to] = [toText(e), toText(simple)];
          expect({ from, to, values, value: after.value }).toEqual({ from, to, values, value: before.value });
        }
      }),
      { numRuns },
    );
    expect(compared).toBeGreaterThan(2000);
  });

  test.each([
    ['an expression', expressionsOf({ variables: ['x', 'y'], constants })],
    ['a row expression', expressionsOf({ variables: ['x', 'y'], constants, rows: true })],
    ['what the stable forms are made for', composed],
  ])('of %s leaves nothing to simplify', (_, expressions) => {
    fc.assert(
      fc.property(expressions, (e) => {
        const simple = simplify(e);
        expect(toText(simplify(simple))).toBe(toText(simple));
      }),
      { numRuns: 2000 },
    );
  });

  test('of a simplified formula of the catalogue or its derivative changes nothing', () => {
    const formulas = catalogue().flatMap(({ expression, inputs, kind }) =>
      kind === 'row' ? [expression] : [expression, ...gradient([{ output: expression, cotangent: 1 }], inputs)],
    );
    expect(formulas.length).toBeGreaterThan(80);
    for (const simple of formulas.map(simplify)) expect(toText(simplify(simple))).toBe(toText(simple));
  });

  test.each([
    ['2*3 + 4', '10'],
    ['x + x', '2*x'],
    ['x - x', '0'],
    ['3*x - 2*x', 'x'],
    ['0*x', '0'],
    ['x*x/x', 'x'],
    ['x/x', '1'],
    ['-(-x)', 'x'],
    ['-(x - y)', 'y - x'],
    ['x/6', 'x/6'],
    ['(x/2)*4', '2*x'],
    ['x*2/3', '2*x/3'],
    ['exp(0)', '1'],
    ['where(1 < 2, x, y)', 'x'],
    ['where(x < y, x, x)', 'x'],
    ['where(x < y, where(x < y, 1, 2), 3)', 'where(x < y, 1, 3)'],
    ['where(x < y, 1, 0) + where(x < y, 2, 5)', 'where(x < y, 3, 5)'],
    ['y*where(x < 0, x, 0)', 'where(x < 0, y*x, 0)'],
    ['pow(x, 2)', 'x*x'],
    ['pow(x, 3)', 'x*x*x'],
    ['pow(x, -1)', '1/x'],
    ['pow(x, 0.5)', 'sqrt(x)'],
    ['pow(x, 1)', 'x'],
    ['pow(x, 0)', '1'],
    ['(y - x)*(1*-3/3)', 'x - y'],
    ['y/abs(x + 1) + y/abs(x + 1)', '2*y/abs(x + 1)'],
  ])('%s becomes %s', (from, to) => {
    expect(toText(simplify(parse(from, ['x', 'y'])))).toBe(to);
  });

  test('takes a constant factor out of a sum along the row', () => {
    expect(toText(simplify(x.mul(3).sum()))).toBe('3*sum(x)');
    expect(simplify(x.mul(0).sum())).toBe(constant(0));
    expect(simplify(x.maximum())).toBe(x.maximum());
  });

  test.each([3, 4, 7, 16, 17, 18, 31, -3, -8, -17])('a power of %i holds for a negative base too', (exponent) => {
    const power = simplify(x.pow(exponent));
    for (const value of [-1.5, -1, 1.25, 2]) {
      expect(evaluate(power, { x: value }) / value ** exponent).toBeCloseTo(1, 12);
    }
    for (const zero of [0, -0]) expect(evaluate(power, { x: zero })).toBe(zero ** exponent);
  });

  test('writes powers of powers with as few products as squaring needs', () => {
    const e = x.pow(16).pow(16).pow(16);
    expect(simplify(e).operands[0]).toBe(simplify(e).operands[1]);
    let [square, depth] = [simplify(e), 0];
    for (; square !== x; depth++) square = square.operands[0] ?? x;
    expect(depth).toBe(12);
    expect(evaluate(simplify(e), { x: 1.0001 })).toBeCloseTo(1.0001 ** 4096, 9);
  });

  test('leaves 1/3 unrounded until it is used', () => {
    expect(evaluate(simplify(x.div(3).mul(3)), { x: 0.1 })).toBe(0.1);
    expect(evaluate(simplify(constant(1).div(3).mul(y).mul(3)), { y: 0.7 })).toBe(0.7);
  });
});
