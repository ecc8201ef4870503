import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { logSoftmax, type RowFunction, rowFunction, softmax, softmin, solu } from '../../src/activations/index.js';
import { evaluateRowExpression } from '../../src/activations/properties/rows.js';
import { gradient } from '../../src/scalar/differentiate.js';
import { atPosition, type Expression, variable, variables } from '../../src/scalar/expression.js';
import { simplify } from '../../src/scalar/simplify.js';
import { stabilizeRows } from '../../src/scalar/stable-rows.js';

/** At half the temperature: the weights are powers of the softmax's. */
const sharp = rowFunction('sharp', (x) => {
  const weights = x.sub(x.maximum()).mul(2).exp();
  return weights.div(weights.sum());
});
const elements = new Set(['x', 'cotangent']);
const pulledBack = ({ expression }: RowFunction): Expression => {
  const seed = { output: expression, cotangent: variable('cotangent') };
  return gradient([seed], ['x'], elements)[0] ?? expression;
};

/** Rows of small whole numbers have ties at their maximum often. */
const row = fc.array(
  fc.tuple(
    fc.oneof(fc.integer({ min: -3, max: 3 }), fc.double({ min: -20, max: 20, noNaN: true })),
    fc.double({ min: -2, max: 2, noNaN: true }),
  ),
  { minLength: 1, maxLength: 6 },
);

describe.each([softmax, softmin, logSoftmax, solu, sharp])('the stable form of $name', (formula) => {
  test.each([
    ['value', simplify(formula.expression)],
    ['gradient', pulledBack(formula)],
  ])('has the same %s on any row, ties or not', (_, plain) => {
    const stable = stabilizeRows(plain, elements);
    fc.assert(
      fc.property(row, (pairs) => {
        const values = { x: pairs.map(([x]) => x), cotangent: pairs.map(([, cotangent]) => cotangent) };
        const expected = evaluateRowExpression(plain, values);
        const actual = evaluateRowExpression(stable, values);
        actual.forEach((y, i) => {
          expect(Math.abs(y - (expected[i] ?? Number.NaN))).toBeLessThan(1e-11 * Math.max(1, Math.abs(y)));
        });
      }),
    );
  });

  test.each([
    ['value', simplify(formula.expression)],
    ['gradient', pulledBack(formula)],
  ])('of its %s is stable already: taken twice it is the same', (_, plain) => {
    const stable = stabilizeRows(plain, elements);
    expect(stabilizeRows(stable, elements)).toBe(stable);
  });

  test('keeps the gradient of a nearly certain row', () => {
    const x = formula === softmin ? [0, 40] : [0, -40];
    const at = (cotangent: readonly number[]): number[] =>
      evaluateRowExpression(stabilizeRows(pulledBack(formula), elements), { x, cotangent });
    const probability = Math.exp(formula === sharp ? -80 : -40);
    const slope = formula === sharp ? 2 : formula === softmin ? -1 : 1;
    const expected = formula === solu ? 1 : slope * probability;
    expect((at([1, 0])[0] ?? 0) / expected).toBeCloseTo(1, 12);
  });
});

describe('the stable form of a cross-entropy', () => {
  const [x, target, weight] = variables('x', 'target', 'cotangent');
  const isTarget = (then: Expression | number): Expression => target.whereLess(0.5, 0, then);
  const loss = atPosition(logSoftmax.expression, { x: isTarget(x).sum() }).neg();
  const along = new Set(['x', 'target']);
  const slope = gradient([{ output: loss, cotangent: weight }], ['x'], along)[0] ?? loss;

  test('has the same value and gradient on any row, whichever element is the target', () => {
    fc.assert(
      fc.property(row, fc.nat(5), (pairs, chosen) => {
        const values = {
          x: pairs.map(([own]) => own),
          target: pairs.map((_, i) => (i === chosen % pairs.length ? 1 : 0)),
          cotangent: pairs.map(() => pairs[0]?.[1] ?? 1),
        };
        for (const plain of [simplify(loss), slope]) {
          const expected = evaluateRowExpression(plain, values);
          evaluateRowExpression(stabilizeRows(plain, along), values).forEach((y, i) => {
            expect(Math.abs(y - (expected[i] ?? Number.NaN))).toBeLessThan(1e-11 * Math.max(1, Math.abs(y)));
          });
        }
      }),
    );
  });

  test('keeps the digits of a nearly certain row', () => {
    const values = { x: [30, -20], target: [1, 0], cotangent: [3, 3] };
    const at = (plain: Expression): number =>
      evaluateRowExpression(stabilizeRows(plain, along), values)[0] ?? Number.NaN;
    expect(at(simplify(loss)) / Math.exp(-50)).toBeCloseTo(1, 12);
    expect(at(slope) / (-3 * Math.exp(-50))).toBeCloseTo(1, 12);
  });
});

describe('other row expressions', () => {
  const x = variable('x');

  test.each([
    ['a mean of squares', x.mul(x).sum().div(4)],
    ['a sum of exponentials without their maximum', x.exp().sum().log()],
    ['what has no reduction', x.mul(x.sigmoid())],
  ])('%s stays as it is', (_, expression) => {
    const plain = simplify(expression);
    expect(stabilizeRows(plain, elements)).toBe(plain);
  });

  test('what uses its parts twice at each of 100 steps takes no longer than it is long', () => {
    let e: Expression = variable('scale');
    for (let step = 0; step < 100; step++) e = e.exp().min(e);
    expect(stabilizeRows(e.mul(x).sum(), elements)).toBe(e.mul(x.sum()));
  });

  test('what is the same along a row leaves a sum', () => {
    const total = x.exp().sum();
    const values = { x: [0.5, -1, 2] };
    const inside = x.mul(total).sum();
    const outside = stabilizeRows(inside, elements);
    expect(outside).toBe(total.mul(x.sum()));
    expect(evaluateRowExpression(outside, values)[0]).toBeCloseTo(evaluateRowExpression(inside, values)[0] ?? 0, 12);
  });
});
