import fc from 'fast-check';
import { describe, expect, expectTypeOf, test } from 'vitest';
import { SluiceError } from '../../src/base/errors.js';
import {
  atPosition,
  constant,
  type Expression,
  reachable,
  substitute,
  variable,
  variables,
  variablesOf,
} from '../../src/scalar/expression.js';
import { evaluate } from '../../src/scalar/interpret.js';
import { cost, exponentials } from '../../src/scalar/lower.js';
import { parse } from '../../src/scalar/parse.js';
import { expressionsOf, formulaPrimitives } from './random-expressions.js';

const [x, y] = variables('x', 'y');

test('equal expressions are one object', () => {
  expect(x.mul(y).add(1)).toBe(variable('x').mul(variable('y')).add(constant(1)));
  expect(x.sum()).toBe(x.sum());
  expect(x.sum()).not.toBe(x.maximum());
  expect(x.sub(y)).not.toBe(y.sub(x));
});

test('constants differ by their bits', () => {
  expect(constant(0)).not.toBe(constant(-0));
  expect(constant(Number.NaN)).toBe(constant(Number.NaN));
  expect(constant(0.1 + 0.2)).not.toBe(constant(0.3));
});

test.each(['', '1x', 'a b', 'x-1', 'λ', '__proto__ '])('%j is no name of a variable', (name) => {
  expect(() => variable(name)).toThrow(SluiceError);
});

test('operands come before their users', () => {
  fc.assert(
    fc.property(expressionsOf({ variables: ['x', 'y'] }), (e) => {
      const seen = new Set<Expression>();
      for (const part of reachable([e])) {
        for (const operand of part.operands) expect(seen.has(operand)).toBe(true);
        seen.add(part);
      }
      expect(seen.has(e)).toBe(true);
    }),
    { numRuns: 300 },
  );
});

test('substitution replaces variables by expressions and numbers, all at once', () => {
  expect(substitute(x.add(y), { x: y, y: x })).toBe(y.add(x));
  expect(substitute(x.mul(y), { y: 2 })).toBe(x.mul(2));
  expect(substitute(x, { toString: 1 })).toBe(x);
  expect(substitute(variable('toString'), {})).toBe(variable('toString'));
  expect(variablesOf([substitute(x.add(y).exp(), { x: 1 })])).toEqual(['y']);
});

test('variables come in the order of their names, as many as there are', () => {
  expect([...variables('b', 'a')]).toEqual([variable('b'), variable('a')]);
  expectTypeOf(variables('b', 'a')).toEqualTypeOf<readonly [Expression, Expression]>();
});

test("at a position the row's variables take their values there, and reductions stay those of the row", () => {
  const shifted = x.sub(x.maximum());
  expect(atPosition(shifted.div(shifted.exp().sum()), { x: y })).toBe(y.sub(x.maximum()).div(shifted.exp().sum()));
  expect(atPosition(x.mul(y).add(x.sum()), { x: 2 })).toBe(constant(2).mul(y).add(x.sum()));
});

test('every method of an expression applies the primitive of its name', () => {
  for (const name of formulaPrimitives) {
    if (!(name in x)) continue;
    const method = x[name as 'add'].bind(x);
    const made = method.length === 0 ? (method as unknown as () => Expression)() : method(y);
    expect(made.node).toMatchObject({ kind: 'apply', primitive: name });
  }
  expect(x.whereLess(1, 2, 3)).toBe(parse('where(x < 1, 2, 3)'));
});

describe('the interpreter', () => {
  test('refuses variables it is not given', () => {
    expect(() => evaluate(x.add(y), { x: 1 })).toThrow(/uses only the variables x, received "y"/);
  });

  test('refuses a reduction', () => {
    expect(() => evaluate(x.sum(), { x: 1 })).toThrow(/no reductions/);
  });
});

describe('the cost', () => {
  test.each([
    ['x', 0, 0],
    ['x*sigmoid(x)', 1, 1],
    ['tanh(x)*tanh(x) + tanh(x)', 2, 1],
    ['carryNan(x, x)', 0, 0],
  ])('of %s counts what is shared once', (text, operations, special) => {
    expect(cost([parse(text)])).toEqual({ operations, special });
  });

  test('of several outputs counts what they share once', () => {
    expect(cost([x.exp(), x.exp().mul(2)])).toEqual({ operations: 1, special: 1 });
    expect(exponentials([x.exp(), x.exp().mul(2), x.sigmoid()])).toBe(2);
  });
});
