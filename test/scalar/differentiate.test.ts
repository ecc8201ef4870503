import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { derivative, gradient } from '../../src/scalar/differentiate.js';
import { apply, constant, type Expression, variable } from '../../src/scalar/expression.js';
import { evaluate, interpreter } from '../../src/scalar/interpret.js';
import { parse } from '../../src/scalar/parse.js';
import { arity, type Primitive } from '../../src/scalar/primitives.js';
import { toText } from '../../src/scalar/print.js';
import { formulaPrimitives } from './random-expressions.js';

const [x, y] = [variable('x'), variable('y')];

/** Operands brought to where a primitive is smooth and its value moderate. */
const guards: Partial<Record<Primitive, (...operands: Expression[]) => Expression[]>> = {
  div: (a = x, b = x) => [a, b.abs().add(0.5)],
  sqrt: (u = x) => [u.abs().add(0.5)],
  log: (u = x) => [u.abs().add(0.5)],
  log1p: (u = x) => [u.abs()],
  pow: (a = x, b = x) => [a.abs().add(0.5), b.tanh()],
  exp: (u = x) => [u.tanh().mul(3)],
  expm1: (u = x) => [u.min(3)],
  rootSum: (u = x, b = x) => [u, b.abs().add(0.5)],
};

const smooth = fc.letrec<{ tree: Expression; leaf: Expression }>((tie) => ({
  leaf: fc.oneof(
    fc.constantFrom(x, x, y),
    fc.constantFrom(1, 2, -1, 0.5, -2, 3, 0).map(constant),
    fc.integer({ min: -4000, max: 4000 }).map((count) => constant(count / 1000)),
  ),
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc
      .tuple(fc.constantFrom(...formulaPrimitives), tie('tree'), tie('tree'), tie('tree'), tie('tree'), fc.boolean())
      .map(([name, a, b, c, d, same]) => {
        const operands = [a, same ? a : b, c, d].slice(0, arity(name));
        return apply(name, ...(guards[name]?.(...operands) ?? operands));
      }),
  ),
})).tree;

/** Central differences of two widths; undefined where they disagree, as beside a kink or a jump. */
function slopeOf(f: (x: number) => number, at: number): { slope: number; tolerance: number } | undefined {
  const central = (h: number): number => (8 * (f(at + h) - f(at - h)) - (f(at + 2 * h) - f(at - 2 * h))) / (12 * h);
  const h = 1e-3;
  /** Between the slopes to both sides: it shrinks with h where f is smooth, not at a kink. */
  const gap = (width: number): number => Math.abs(f(at + width) - 2 * f(at) + f(at - width)) / width;
  const [wide, narrow] = [central(h), central(h / 4)];
  const size = Math.max(1, ...[-2, -1, 0, 1, 2].map((step) => Math.abs(f(at + step * h))));
  const tolerance = 20 * Math.abs(wide - narrow) + 1e-9 * size;
  const isSmooth = gap(h / 4) < 0.5 * gap(h) + 1e-10 * size;
  return isSmooth && tolerance < 1e-4 * Math.max(1, Math.abs(narrow)) ? { slope: narrow, tolerance } : undefined;
}

describe('a derivative', () => {
  test('agrees with central differences, for random expressions away from kinks', () => {
    let compared = 0;
    // Away from 0 and from round numbers, where the kinks of many expressions are.
    const between = fc
      .tuple(fc.integer({ min: 1000, max: 250_000 }), fc.constantFrom(-1, 1))
      .map(([count, sign]) => sign * (count / 1e5 + 1.4142e-6));
    fc.assert(
      fc.property(smooth, fc.array(fc.tuple(between, between), { minLength: 3, maxLength: 3 }), (e, points) => {
        const slopes = gradient([{ output: e, cotangent: 1 }], ['x', 'y']);
        const value = interpreter([e], ['x', 'y']);
        const slopesAt = interpreter(slopes, ['x', 'y']);
        for (const [a, b] of points) {
          const along = [(t: number) => value([t, b])[0] ?? 0, (t: number) => value([a, t])[0] ?? 0];
          slopesAt([a, b]).forEach((actual, i) => {
            const found = slopeOf(along[i] ?? Math.abs, i === 0 ? a : b);
            if (found === undefined) return;
            compared++;
            if (Math.abs(actual - found.slope) <= found.tolerance) return;
            expect({ of: toText(e), by: 'xy'[i], at: [a, b], slope: actual }).toEqual({
              of: toText(e),
              by: 'xy'[i],
              at: [a, b],
              slope: found.slope,
            });
          });
        }
      }),
      { numRuns: 1500 },
    );
    expect(compared).toBeGreaterThan(3000);
  });

  test.each(formulaPrimitives)('of %s by each operand agrees with central differences', (primitive) => {
    const names = ['a', 'b', 'c', 'd'].slice(0, arity(primitive));
    const own = apply(primitive, ...names.map(variable));
    const at: Record<string, number> = { a: 0.7, b: 1.3, c: -0.4, d: 2.2 };
    for (const name of names) {
      const f = (value: number): number => evaluate(own, { ...at, [name]: value });
      const found = slopeOf(f, at[name] ?? 0);
      expect(found).toBeDefined();
      const actual = evaluate(derivative(own, name), at);
      expect(Math.abs(actual - (found?.slope ?? 0))).toBeLessThan(1e-8);
    }
  });

  test.each([
    ['max(x, 0)', 0, 0],
    ['max(x, 0)', 0, 0],
    ['max(0, x)', 0, 1],
    ['min(x, 6)', 6, 0],
    ['min(6, x)', 6, 1],
    ['max(x, x)', 2, 1],
    ['abs(x)', 0, 0],
    ['where(x < 0, 0.1*x, x)', 0, 1],
    ['where(0 < x, x, 0.1*x)', 0, 0.1],
    ['round(x)*x', 2.2, 2],
  ])('of %s at the kink %d is the chosen one, %d', (text, at, wanted) => {
    expect(evaluate(derivative(parse(text), 'x'), { x: at })).toBe(wanted);
  });

  test('of what does not depend on the variable is 0', () => {
    expect(derivative(y.exp(), 'x')).toBe(constant(0));
    expect(derivative(constant(3), 'x')).toBe(constant(0));
    expect(derivative(x.sub(x), 'x')).toBe(constant(0));
  });
});

describe('a gradient', () => {
  test('of several outputs is the sum by their cotangents', () => {
    const [first, second] = [x.mul(y), x.exp()];
    const [dx, dy] = gradient(
      [
        { output: first, cotangent: variable('p') },
        { output: second, cotangent: 3 },
      ],
      ['x', 'y'],
    );
    const at = { x: 0.3, y: -2, p: 0.7 };
    expect(evaluate(dx ?? x, at)).toBeCloseTo(0.7 * -2 + 3 * Math.exp(0.3), 14);
    expect(evaluate(dy ?? x, at)).toBeCloseTo(0.7 * 0.3, 14);
  });

  test('along a row collects the sum for what the row shares', () => {
    const shifted = x.sub(variable('bias'));
    const elements = new Set(['x']);
    const [bias] = gradient(
      [{ output: shifted.mul(shifted), cotangent: variable('g') }],
      ['bias'],
      new Set(['x', 'g']),
    );
    expect(toText(bias ?? x)).toBe('-2*sum(g*(x - bias))');
    const [total] = gradient([{ output: x.mul(x).sum(), cotangent: 1 }], ['x'], elements);
    expect(total).toBe(constant(2).mul(x));
  });
});
