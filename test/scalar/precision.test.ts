import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { partials } from '../../src/activations/evaluate.js';
import { type Activation, catalogue } from '../../src/activations/index.js';
import { randomKey, randomUniform } from '../../src/base/random.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { constant, type Expression, variable } from '../../src/scalar/expression.js';
import { interpreter } from '../../src/scalar/interpret.js';
import { extend } from '../../src/scalar/lower.js';
import { parse } from '../../src/scalar/parse.js';
import { float32Error, float32Tolerance } from '../../src/scalar/precision.js';
import { type Primitive, primitives } from '../../src/scalar/primitives.js';
import { toText } from '../../src/scalar/print.js';
import { simplify } from '../../src/scalar/simplify.js';
import { mapped } from '../support/evaluators.js';
import { error32 } from '../support/ulp.js';
import { expressionsOf, formulaPrimitives } from './random-expressions.js';

const device = await openWasm({ threads: 1 });
const evaluate = mapped(device);
const bits = new DataView(new ArrayBuffer(4));

/** Finite float32 numbers: one from each of `count` equal ranges of bit patterns, and those that are special. */
function stratified(count: number, seed: number): number[] {
  const [width, key] = [2 ** 32 / count, randomKey(seed, 'noise')];
  const numbers = Array.from({ length: count }, (_, i) => {
    bits.setUint32(0, i * width + Math.floor(randomUniform(key, i) * width));
    return bits.getFloat32(0);
  });
  const edges = [0, 1e-45, 1.17549435e-38, 0.5, 1, 17, 87.33655, 88.72284, 103.97208, 1e4, 1e20, 3.4028234663852886e38];
  return [...numbers, ...edges, ...edges.map((edge) => -edge)].map(Math.fround).filter(Number.isFinite);
}

interface Miss {
  readonly of: string;
  readonly x: number;
  readonly actual: number;
  readonly exact: number;
  readonly error: number;
}

/** The worst result of each expression on the device, where it is beyond `allowed`; exact by the interpreter. */
async function misses(expressions: readonly Expression[], inputs: readonly number[], allowed: readonly number[]) {
  const points = inputs.map((x) => [x]);
  const actual = await evaluate(expressions, ['x'], points);
  const exact = interpreter(expressions, ['x']);
  const worst: (Miss | undefined)[] = expressions.map(() => undefined);
  inputs.forEach((x, i) => {
    exact([x]).forEach((wanted, k) => {
      const got = actual[i]?.[k] ?? Number.NaN;
      const error = error32(got, wanted);
      if (error <= (allowed[k] ?? 0) || error <= (worst[k]?.error ?? 0)) return;
      worst[k] = { of: toText(expressions[k] ?? constant(0)), x, actual: got, exact: wanted, error };
    });
  });
  return worst.filter((miss) => miss !== undefined);
}

const isCheap = (expression: Expression): boolean => float32Error([expression]) <= float32Tolerance;

describe('float32 arithmetic is enough where it is said to be', () => {
  const [inputs, few] = [stratified(2 ** 17, 1), stratified(2 ** 11, 2)];
  const activations = catalogue().filter((formula): formula is Activation => formula.kind === 'activation');
  const lowered = activations
    .filter(({ learned }) => learned.length === 0)
    .flatMap((formula) => [formula.expression, ...partials(formula)].map((output) => extend(output, formula.inputs)));
  const cheap = [...new Set(lowered)].filter(isCheap).map((output) => [toText(output), output] as const);

  test('for many formulas of the catalogue', () => {
    expect(cheap.length).toBeGreaterThan(20);
  });

  test.each(cheap)('%s is within 4 ULP of float64', async (_, output) => {
    // Selections of exact values need no large sample.
    const sample = float32Error([output]) === 0 ? few : inputs;
    expect(await misses([output], sample, [4])).toEqual([]);
  });

  const short = formulaPrimitives.filter((name) => {
    const { lanes } = primitives[name];
    return 'expand' in lanes && lanes.short !== undefined;
  });

  test('for the functions that have an expansion in float32', () => {
    const distributions = ['normalCdf', 'geluValue', 'geluSlope', 'siluSlope'];
    expect(short).toEqual(['signum', 'exp', 'expm1', 'sigmoid', 'logisticPdf', 'tanh', 'softplus', ...distributions]);
  });

  test.each(short)('%s has no larger error than its row says', async (name) => {
    const { lanes } = primitives[name];
    const ulp = 'expand' in lanes ? (lanes.short?.ulp ?? 0) : 0;
    expect(await misses([variable('x').apply(name)], inputs, [ulp])).toEqual([]);
  });

  test('for random formulas', async () => {
    const names: readonly Primitive[] = [
      'add',
      'sub',
      'mul',
      'div',
      'neg',
      'abs',
      'min',
      'max',
      'sqrt',
      'select',
      ...short,
    ];
    const constants = fc.constantFrom(0, 1, 2, 4, -1, -2, 0.5, 3, -0.1, 0.01, 1.758, 15, 1e-5, 100, 1e30, 1e-30);
    const wanted = fc.array(
      expressionsOf({ variables: ['x'], names, constants })
        .map(simplify)
        .filter((e) => isCheap(e) && !/nan/.test(toText(e))),
      { minLength: 24, maxLength: 24 },
    );
    await fc.assert(
      fc.asyncProperty(wanted, async (expressions) => {
        expect(
          await misses(
            expressions,
            few,
            expressions.map(() => 4),
          ),
        ).toEqual([]);
      }),
      { numRuns: 12, endOnFailure: true },
    );
  });
});

describe('float64 is asked for where', () => {
  test.each([
    ['digits cancel', 'exp(x) - x'],
    ['digits may cancel', 'x*x + 3*x'],
    ['an argument is rounded', 'exp(3*x)'],
    ['an argument is a product', 'tanh(x*x)'],
    ['a square overflows before its root', 'sqrt(abs(x)*abs(x) + 1)'],
    ['an infinity meets a 0', 'x*x*sigmoid(x)'],
    ['a doubled argument overflows', '2*x*sigmoid(-x)'],
    ['an overflow is scaled back', '0.1*exp(x)'],
    ['a divisor overflows', 'x/exp(x)'],
    ['a divisor vanishes', 'sigmoid(x)/exp(x)'],
    ['a root is taken of what vanishes', 'sqrt(sigmoid(x))'],
    ['a large factor shows what was lost', '1e30*sigmoid(x)'],
    ['an expansion is missing', 'erf(x)'],
  ])('%s: %s', (_, text) => {
    expect(float32Error([parse(text)])).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('float32 is enough', () => {
  test.each([
    ['x', 0],
    ['x*sigmoid(x)', 3.2],
    ['softplus(x)', 2.9],
    ['max(x, 0)*max(x, 0)', 0.7],
    ['x/(abs(x) + 1)', 1.4],
    ['where(0 < x, x, expm1(x))', 1.5],
    ['0.5*tanh(x)', 3.3],
    ['tanh(4*x)', 2.6],
  ])('for %s, within %d ULP', (text, error) => {
    expect(float32Error([parse(text)])).toBeCloseTo(error, 9);
  });

  test('for several outputs if it is for each', () => {
    const [good, bad] = [parse('x*sigmoid(x)'), parse('erf(x)')];
    expect(float32Error([good, parse('x')])).toBeCloseTo(3.2, 9);
    expect(float32Error([good, bad])).toBe(Number.POSITIVE_INFINITY);
  });
});
