import { describe, expect, test } from 'vitest';
import { partials } from '../../src/activations/evaluate.js';
import { type Activation, catalogue, type Gate } from '../../src/activations/index.js';
import { randomKey, randomUniform, randomWord } from '../../src/base/random.js';
import { type Expression, reachable, variable } from '../../src/scalar/expression.js';
import { evaluate, interpreter } from '../../src/scalar/interpret.js';
import { expand, extend } from '../../src/scalar/lower.js';
import { arity, primitives } from '../../src/scalar/primitives.js';
import { simplify } from '../../src/scalar/simplify.js';
import { formulaPrimitives } from './random-expressions.js';

const formulas = catalogue().filter((formula): formula is Activation | Gate => formula.kind !== 'row');
const learned = (formula: Activation | Gate): Record<string, number> =>
  Object.fromEntries(formula.learned.map((name) => [name, formula.parameters[name]?.value ?? 0]));
const bits = new DataView(new ArrayBuffer(4));
const key = randomKey(11, 'noise');
/** Random bit patterns of finite float32 numbers. */
const anyFloats = (count: number): number[] =>
  Array.from({ length: count }, (_, i) => {
    bits.setUint32(0, randomWord(key, i));
    return bits.getFloat32(0);
  }).filter(Number.isFinite);

/** Where a function in float64 goes to: the value that it has come to stay at, or grows beyond. */
function limitOf(f: (x: number) => number, sign: 1 | -1): number {
  const [near = 0, last = 0] = [60, 280].map((power) => f(sign * 2 ** power));
  if (Math.abs(near - last) < 1e-9 * Math.abs(last)) return Math.fround(last);
  if (Math.abs(last) < 2 ** -126) return 0;
  return Math.abs(last) > 2 ** 20 * Math.abs(near) ? last * Number.POSITIVE_INFINITY : Number.NaN;
}

describe.each(formulas.map((formula) => [formula.name, formula] as const))('%s extended to the line', (_, formula) => {
  const outputs = [formula.expression, ...partials(formula)].map(simplify);
  const lowered = outputs.map((output) => extend(output, formula.inputs));
  const rest = learned(formula);

  test('is NaN where an input is, the derivatives too', () => {
    for (const [i, nan] of formula.inputs.entries()) {
      const values = Object.fromEntries(formula.inputs.map((name, k) => [name, k === i ? Number.NaN : 0.7]));
      for (const output of lowered) expect(evaluate(output, { ...rest, ...values }), nan).toBeNaN();
    }
  });

  test('is as before at every finite number, and never NaN', () => {
    const names = [...formula.inputs, ...formula.learned];
    const [before, after] = [interpreter(outputs, names), interpreter(lowered, names)];
    const floats = anyFloats(4000);
    for (const [i, x] of floats.entries()) {
      const point = [...formula.inputs.map((_, k) => floats[(i + 7 * k) % floats.length] ?? x), ...Object.values(rest)];
      const [wanted, actual] = [before(point).map(Math.fround), after(point).map(Math.fround)];
      for (const [k, value] of actual.entries()) {
        const isSame = Object.is(value + 0, (wanted[k] ?? 0) + 0) && !Number.isNaN(value);
        if (!isSame) expect({ point, k, value }).toEqual({ point, k, value: wanted[k] });
      }
    }
  });
});

// Of a gate the limit depends on the way there.
const activations = formulas.filter(({ kind }) => kind === 'activation');
test.each(
  activations.map((formula) => [formula.name, formula] as const),
)('%s takes its limits at the infinities, its derivative too', (_, formula) => {
  const rest = learned(formula);
  for (const [i, output] of [simplify(formula.expression), ...partials(formula)].entries()) {
    for (const sign of [1, -1] as const) {
      const limit = limitOf((x) => evaluate(output, { ...rest, x }), sign);
      const lowered = extend(output, formula.inputs);
      const actual = evaluate(lowered, { ...rest, x: sign * Number.POSITIVE_INFINITY });
      expect(limit).not.toBeNaN();
      const stored = Math.abs(actual) < 2 ** -126 ? 0 : Math.fround(actual);
      expect({ output: i, sign, value: stored }).toEqual({ output: i, sign, value: limit });
    }
  }
});

test('an input whose NaN arithmetic carries is not asked for it again', () => {
  const x = variable('x');
  expect(extend(x.max(0), ['x'])).toBe(x.max(0));
  const selected = extend(x.whereLess(0, 0, 1), ['x']);
  expect(selected.node).toMatchObject({ kind: 'apply', primitive: 'carryNan' });
});

test('an expression that uses its parts twice at each of 100 steps is extended as fast as it is long', () => {
  const x = variable('x');
  let e: Expression = x;
  for (let step = 0; step < 100; step++) e = e.exp().min(e).whereLess(1, e, e.tanh());
  expect(evaluate(extend(e, ['x']), { x: Number.NaN })).toBeNaN();
});

describe('an expansion', () => {
  const ranges: Partial<Record<string, readonly number[]>> = {
    log: [1e-300, 1e-30, 1e-3, 0.5, 0.999, 1.0001, 1.4, 1.5, 3, 1e10, 1e300],
    log1p: [-0.9999, -0.5, -1e-3, 1e-3, 0.4, 0.42, 2, 1e5, 1e100],
  };
  const wide = [
    0,
    1e-300,
    1e-30,
    1e-9,
    1e-3,
    2 ** -8,
    0.0039,
    0.1,
    0.3,
    0.35,
    0.9,
    1,
    1.1,
    3,
    7,
    17,
    37,
    38,
    80,
    300,
    700,
  ];
  const draws = Array.from({ length: 4000 }, (_, i) => 40 * (2 * randomUniform(key, i) - 1));
  const inputs = (name: string): readonly number[] => {
    const own = ranges[name];
    if (own !== undefined) return [...own, ...draws.map((x) => (name === 'log' ? Math.exp(x) : Math.expm1(x)))];
    return [...wide, ...wide.map((x) => -x), ...draws, ...draws.map((x) => x / 50)];
  };
  const unary = formulaPrimitives.filter((name) => 'expand' in primitives[name].lanes && arity(name) === 1);

  test('is made for every function', () => {
    expect(unary).toHaveLength(16);
  });

  /** What float64 loses: by the rounding of x^2/2, by the subtraction in x - tanh(x) and beside a root. */
  const lost = (name: string, x: number): number =>
    /Residual|Slope/.test(name) ? 2 ** 14 : /normal|erf|gelu/.test(name) ? 1 + Math.min(700, x * x) : 1;

  test.each(unary)('of %s is the function, to the last bits of float64', (name) => {
    const [exact, lanes] = [variable('x').apply(name), expand(variable('x').apply(name))];
    const both = interpreter([exact, lanes], ['x']);
    for (const x of inputs(name)) {
      const [wanted = 0, actual = 0] = both([x]);
      // Below exp(-708) lanes stop, and beyond 18 deviations they lose digits; float32 has long been 0 there.
      const tolerance = 2 ** -46 * lost(name, x) * Math.abs(wanted) + (/normalCdf|gelu/.test(name) ? 1e-70 : 1e-300);
      const isNear = Math.abs(actual - wanted) <= tolerance || Object.is(actual, wanted);
      if (!isNear) expect({ x, value: actual }).toEqual({ x, value: wanted });
    }
  });

  test.each(unary)('of %s gives NaN for NaN and its limit, in float32, at what stands for infinity', (name) => {
    const [exact, lanes] = [variable('x').apply(name), expand(variable('x').apply(name))];
    expect(evaluate(lanes, { x: Number.NaN })).toBeNaN();
    for (const x of /^log/.test(name) ? [2 ** 280] : [2 ** 280, -(2 ** 280)]) {
      expect(Math.fround(evaluate(lanes, { x })) + 0).toBe(Math.fround(evaluate(exact, { x })) + 0);
    }
  });

  test('of the logarithm holds at 0 and below', () => {
    const log = expand(variable('x').log());
    expect(evaluate(log, { x: 0 })).toBe(Number.NEGATIVE_INFINITY);
    expect(evaluate(log, { x: -1 })).toBeNaN();
  });

  const bases = [-100, -8, -2.5, -1, -0.001, 0, 1e-30, 0.3, 1, 7, 1e10];
  test.each([
    -7, -3, -2, -1, -0.5, 0, 0.3, 1, 2, 3, 3.1, 8, 55,
  ])('of a power is the power, for an exponent of %d', (y) => {
    const lanes = expand(variable('x').pow(variable('y')));
    for (const x of bases) {
      const [actual, wanted] = [Math.fround(evaluate(lanes, { x, y })), Math.fround(x ** y)];
      const isNear = Object.is(actual, wanted) || Math.abs(actual - wanted) <= 2e-7 * Math.abs(wanted) + 1e-45;
      if (!isNear) expect({ x, y, value: actual }).toEqual({ x, y, value: wanted });
    }
  });

  test('of rootSum is the sum, also where it cancels', () => {
    const lanes = expand(variable('x').apply('rootSum', variable('b')));
    for (const x of [-1e18, -1e4, -1, 0, 2, 1e18]) {
      expect(evaluate(lanes, { x, b: 4 }) / (x < 0 ? 4 / (Math.hypot(x, 2) - x) : x + Math.hypot(x, 2))).toBeCloseTo(
        1,
        13,
      );
    }
  });

  test('consists of lane instructions alone', () => {
    const isInstruction = ({ node }: Expression): boolean =>
      node.kind !== 'apply' || 'steps' in primitives[node.primitive].lanes;
    for (const name of formulaPrimitives) {
      const applied = variable('a').apply(name, ...['b', 'c', 'd'].slice(0, arity(name) - 1).map(variable));
      for (const type of ['float64', 'float32'] as const) {
        expect(reachable([expand(applied, type)]).every(isInstruction), `${name} ${type}`).toBe(true);
      }
    }
  });
});
