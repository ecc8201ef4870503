import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as formulas from '../../src/activations/index.js';
import { type Activation, catalogue, resolveActivation } from '../../src/activations/index.js';
import { type ActivationProperties, costsOf, propertiesOf } from '../../src/activations/properties.js';
import { randomKey, randomNormal } from '../../src/base/random.js';
import { derivative } from '../../src/scalar/differentiate.js';
import { variable } from '../../src/scalar/expression.js';
import { interpreter } from '../../src/scalar/interpret.js';
import { simplify } from '../../src/scalar/simplify.js';

const infinite = Number.POSITIVE_INFINITY;
const activations = catalogue().filter((formula): formula is Activation => formula.kind === 'activation');
const cache = new Map<Activation, ActivationProperties>();
function properties(activation: Activation): ActivationProperties {
  const known = cache.get(activation) ?? propertiesOf(activation);
  cache.set(activation, known);
  return known;
}

describe('the properties of', () => {
  test('relu: a kink at 0 with derivative 0, half of its outputs exactly 0', () => {
    const { range, kinks, normal, monotonic, saturates, steepest } = properties(formulas.relu);
    expect(range.infimum).toEqual({ value: 0, at: 0, attained: true });
    expect(range.supremum).toEqual({ value: infinite, at: infinite, attained: false });
    expect(kinks).toEqual([{ x: 0, left: 0, derivative: 0, right: 1, jump: 0 }]);
    expect(normal.mean).toBeCloseTo(1 / Math.sqrt(2 * Math.PI), 11);
    expect(normal.variance).toBeCloseTo(0.5 - 1 / (2 * Math.PI), 11);
    expect(normal.zeros).toBeCloseTo(0.5, 11);
    expect([monotonic, saturates, steepest.value]).toEqual(['nondecreasing', { left: 'hard', right: 'no' }, 1]);
  });

  test('identity: the only linear one', () => {
    expect(activations.filter((activation) => properties(activation).linear)).toEqual([formulas.identity]);
    expect(properties(formulas.identity)).toMatchObject({ kinks: [], symmetry: 'odd', zeroCentred: true });
  });

  test('gelu: its minimum, its mean and its steepest point at the root of 2', () => {
    const { range, normal, steepest, monotonic } = properties(formulas.gelu);
    expect(range.infimum.value).toBeCloseTo(-0.16997120747990369, 14);
    expect(range.infimum.at).toBeCloseTo(-0.7517915246935645, 7);
    expect(steepest.at).toBeCloseTo(Math.SQRT2, 12);
    expect(steepest.value).toBeCloseTo(1.12890414518515, 13);
    expect(normal.mean).toBeCloseTo(1 / (2 * Math.sqrt(Math.PI)), 11);
    expect(monotonic).toBe('no');
  });

  test('silu: a minimum where x = -1 - min', () => {
    const { range, limits, saturates, atZero } = properties(formulas.silu);
    expect(range.infimum.value).toBeCloseTo(-0.2784645427610738, 14);
    expect(range.infimum.at).toBeCloseTo(-1.278464542761074, 7);
    expect(limits).toEqual([0, infinite]);
    expect(saturates).toEqual({ left: 'soft', right: 'no' });
    expect(atZero).toEqual({ value: 0, derivative: 0.5, nearIdentity: false });
  });

  test('tanh: odd, between limits that it never takes, near the identity', () => {
    const { range, symmetry, steepest, atZero, zeroCentred, normal, monotonic } = properties(formulas.tanh);
    expect(range.infimum).toEqual({ value: -1, at: -infinite, attained: false });
    expect(range.supremum).toEqual({ value: 1, at: infinite, attained: false });
    expect(steepest).toEqual({ value: 1, at: 0, attained: true });
    expect([symmetry, atZero.nearIdentity, zeroCentred, monotonic]).toEqual(['odd', true, true, 'increasing']);
    expect(normal.variance).toBeCloseTo(0.394294490398, 10);
  });

  test('sigmoid: never 0 or 1, a quarter at its steepest, not zero-centred', () => {
    const { range, steepest, zeroCentred, normal } = properties(formulas.sigmoid);
    expect([range.infimum, range.supremum].map(({ value, attained }) => [value, attained])).toEqual([
      [0, false],
      [1, false],
    ]);
    expect(steepest).toEqual({ value: 0.25, at: 0, attained: true });
    expect([zeroCentred, normal.mean]).toEqual([false, 0.5]);
  });

  test('elu: smooth with alpha 1, a kink with any other', () => {
    expect(properties(formulas.elu)).toMatchObject({ kinks: [], differentiable: 'everywhere' });
    const [kink] = propertiesOf(formulas.elu.with({ alpha: 2 })).kinks;
    expect(kink).toMatchObject({ x: 0, left: 2, derivative: 2, right: 1, jump: 0 });
  });

  test('selu: mean 0 and variance 1 are its fixed point', () => {
    const { normal, range } = properties(formulas.selu);
    expect(normal.mean).toBeCloseTo(0, 11);
    expect(normal.variance).toBeCloseTo(1, 11);
    expect(range.infimum.value).toBeCloseTo(-1.7580993408473766, 14);
  });

  test('relu6 and hardTanh: they take both ends of their range', () => {
    for (const [activation, low, high] of [
      [formulas.relu6, 0, 6],
      [formulas.hardTanh, -1, 1],
    ] as const) {
      const { range, saturates } = properties(activation);
      expect(range.infimum).toEqual({ value: low, at: low, attained: true });
      expect(range.supremum).toEqual({ value: high, at: high, attained: true });
      expect(saturates).toEqual({ left: 'hard', right: 'hard' });
    }
  });

  test('hardSwish: kinks at -3 and 3 although its formula names 3 and 6', () => {
    const { kinks, range } = properties(formulas.hardSwish);
    expect(kinks.map(({ x }) => x)).toEqual([-3, 3]);
    expect(kinks[0]?.right).toBeCloseTo(-0.5, 9);
    expect(kinks[1]?.left).toBeCloseTo(1.5, 9);
    expect(kinks.map((kink) => kink.derivative)).toEqual([0, 1]);
    expect(range.infimum.value).toBeCloseTo(-0.375, 12);
  });

  test('hardShrink: odd, with two jumps, and exact zeros between them', () => {
    const { kinks, symmetry, normal } = properties(formulas.hardShrink);
    expect(kinks.map(({ x }) => x)).toEqual([-0.5, 0.5]);
    for (const { jump } of kinks) expect(jump).toBeCloseTo(0.5, 12);
    expect(symmetry).toBe('odd');
    expect(normal.zeros).toBeCloseTo(0.382924922548026, 11);
  });

  test('step: a jump, no slope anywhere, one output in two exactly 0', () => {
    const { kinks, steepest, normal, monotonic } = properties(formulas.step);
    expect(kinks).toEqual([{ x: 0, left: 0, derivative: 0, right: 0, jump: 1 }]);
    expect([steepest.value, normal.zeros, monotonic]).toEqual([0, 0.5, 'nondecreasing']);
  });

  test('softsign: it approaches its limits so slowly that only a far scan sees them', () => {
    const { range, limits } = properties(formulas.softsign);
    expect(limits).toEqual([-1, 1]);
    expect(range.supremum.attained).toBe(false);
  });

  test('relu2: no kink, no largest slope', () => {
    const { kinks, steepest, normal } = properties(formulas.relu2);
    expect([kinks, steepest.value]).toEqual([[], infinite]);
    expect(normal.mean).toBeCloseTo(0.5, 11);
    expect(normal.variance).toBeCloseTo(1.25, 11);
  });

  test('mish: its minimum', () => {
    const { infimum } = properties(formulas.mish).range;
    expect(infimum.value).toBeCloseTo(-0.3088434130172505, 13);
    expect(infimum.at).toBeCloseTo(-1.1924312145154952, 7);
  });

  test('xielu: the tiny jump at 0 that its epsilon makes', () => {
    const { kinks } = properties(formulas.xielu);
    expect(kinks.map(({ x }) => x)).toEqual([-1e-6, 0]);
    expect(kinks[1]?.jump).toBeCloseTo(8e-7, 11);
  });

  test('squareplus and softplus: positive, approaching 0 and never taking it', () => {
    for (const activation of [formulas.squareplus, formulas.softplus]) {
      const { range, monotonic } = properties(activation);
      expect(range.infimum).toEqual({ value: 0, at: -infinite, attained: false });
      expect(monotonic).toBe('increasing');
    }
  });

  test('a bell: even, with limits of 0 and its peak at 0', () => {
    const bell = propertiesOf(resolveActivation('exp(-x*x)'));
    expect(bell).toMatchObject({ symmetry: 'even', limits: [0, 0], monotonic: 'no' });
    expect(bell.range.supremum).toEqual({ value: 1, at: 0, attained: true });
  });
});

describe.each(activations.map((activation) => [activation.name, activation] as const))('%s agrees with', (_, own) => {
  const expression = own.of(variable('x'));
  const evaluate = interpreter([simplify(expression), derivative(expression, 'x')], ['x']);
  const f = (x: number): number => evaluate([x])[0] ?? Number.NaN;
  const slope = (x: number): number => evaluate([x])[1] ?? Number.NaN;
  const key = randomKey(1, 'evaluation');
  const points = Array.from({ length: 4000 }, (__, i) => 10 ** (i % 4) * randomNormal(key, i));
  const slack = (x: number): number => 1e-9 * Math.max(1, Math.abs(x));

  test('its values: they are in the range, and slopes are below the largest', () => {
    const { range, steepest } = properties(own);
    const isInside = (y: number): boolean =>
      y >= range.infimum.value - slack(y) && y <= range.supremum.value + slack(y);
    expect(points.filter((x) => !isInside(f(x)))).toEqual([]);
    expect(points.filter((x) => !(Math.abs(slope(x)) <= Math.abs(steepest.value) + 1e-9))).toEqual([]);
  });

  test('its bounds: the ones that are taken are values', () => {
    const { range } = properties(own);
    for (const { value, at, attained } of [range.infimum, range.supremum]) {
      expect(Number.isFinite(at)).toBe(attained);
      if (attained)
        expect(Math.min(...[at, at - 1e-9, at + 1e-9].map((x) => Math.abs(f(x) - value)))).toBeLessThan(1e-8);
    }
  });

  test('its order and its symmetry on random pairs', () => {
    const { monotonic, symmetry, kinks } = properties(own);
    const sorted = [...points].sort((a, b) => a - b);
    const rises = sorted.every((x, i) => f(x) >= f(sorted[i - 1] ?? x) - slack(f(x)));
    expect(rises).toBe(monotonic === 'increasing' || monotonic === 'nondecreasing');
    const away = points.filter((x) => kinks.every((kink) => Math.abs(kink.x) !== Math.abs(x)));
    const holds = (sign: number): boolean => away.every((x) => Math.abs(f(-x) - sign * f(x)) <= slack(f(x)));
    expect([holds(-1), holds(1)]).toEqual([symmetry === 'odd', symmetry === 'even']);
  });

  test('finite differences on both sides of its kinks', () => {
    const { kinks } = properties(own);
    for (const { x, left, right, derivative: chosen } of kinks) {
      const h = 1e-7 * Math.max(1, Math.abs(x));
      expect(slope(x)).toBe(chosen);
      if (kinks.some((other) => other.x !== x && Math.abs(other.x - x) < 4 * h)) continue;
      expect((f(x - h) - f(x - 2 * h)) / h).toBeCloseTo(left, 5);
      expect((f(x + 2 * h) - f(x + h)) / h).toBeCloseTo(right, 5);
    }
  });

  test('random draws: mean, variance and zeros under a standard normal', () => {
    const { normal } = properties(own);
    const draws = Array.from({ length: 20_000 }, (__, i) => f(randomNormal(key, i)));
    const mean = draws.reduce((sum, y) => sum + y, 0) / draws.length;
    const variance = draws.reduce((sum, y) => sum + (y - mean) ** 2, 0) / draws.length;
    const zeros = draws.filter((y) => y === 0).length / draws.length;
    expect(Math.abs(mean - normal.mean)).toBeLessThan(0.05 * Math.max(0.2, Math.sqrt(normal.variance)));
    expect(Math.abs(variance - normal.variance)).toBeLessThan(0.1 * Math.max(0.1, normal.variance));
    expect(Math.abs(zeros - normal.zeros)).toBeLessThan(0.02);
  });
});

describe('a scan', () => {
  test('finds a kink wherever the formula puts it, however far out', () => {
    const anywhere = fc.double({ min: -1e30, max: 1e30, noNaN: true }).filter((c) => Math.abs(c) > 1e-30);
    fc.assert(
      fc.property(anywhere, (c) => {
        const { kinks } = propertiesOf(resolveActivation(`max(x, ${c})`));
        expect(kinks).toHaveLength(1);
        expect(kinks[0]?.x).toBe(c);
        expect([kinks[0]?.left, kinks[0]?.right]).toEqual([0, 1]);
      }),
      { numRuns: 30 },
    );
  });

  test('finds the corners of any polygon', () => {
    const corner = fc.integer({ min: -400, max: 400 });
    fc.assert(
      fc.property(fc.uniqueArray(corner, { minLength: 1, maxLength: 4 }), (corners) => {
        const text = corners.map((c) => `abs(x - ${c / 8})`).join(' + ');
        const { kinks } = propertiesOf(resolveActivation(text.replaceAll('- -', '+ ')));
        expect(kinks.map(({ x }) => x)).toEqual(corners.map((c) => c / 8).sort((a, b) => a - b));
        for (const { left, right } of kinks) expect(right - left).toBeCloseTo(2, 9);
      }),
      { numRuns: 25 },
    );
  });

  test('finds jumps that no condition announces', () => {
    const { kinks } = propertiesOf(resolveActivation('min(max(floor(x), -1), 1)'));
    expect(kinks.map(({ x, jump }) => [x, jump])).toEqual([
      [0, 1],
      [1, 1],
    ]);
  });
});

describe('a function that has no value everywhere', () => {
  const of = (text: string): ActivationProperties => propertiesOf(resolveActivation(text));
  const intervals = (text: string): string =>
    of(text)
      .domain.map(({ from, to }) => `${from.included ? '[' : '('}${from.x}, ${to.x}${to.included ? ']' : ')'}`)
      .join(' ');

  test.each([
    ['log(x)', '(0, Infinity)'],
    ['log(-x)', '(-Infinity, 0)'],
    ['log1p(x)', '(-1, Infinity)'],
    ['sqrt(x)', '[0, Infinity)'],
    ['sqrt(x - 0.3)', '[0.3, Infinity)'],
    ['pow(x, 0.3)', '[0, Infinity)'],
    ['x*log(x)', '(0, Infinity)'],
    ['sqrt(1 - x*x)', '[-1, 1]'],
    ['sqrt(x*x - 1)', '(-Infinity, -1] [1, Infinity)'],
    ['log(1 - x) + sqrt(x + 1000)', '[-1000, 1)'],
    ['1/x', '(-Infinity, 0) (0, Infinity)'],
    ['expm1(x)/x', '(-Infinity, 0) (0, Infinity)'],
    ['log(-1 - x*x)', ''],
  ])('%s has the domain %s', (text, expected) => {
    expect(intervals(text)).toBe(expected);
  });

  test.each([
    ['an overflow', 'exp(x) - exp(2*x)'],
    ['a branch that is not taken', 'where(x < 0, 0, sqrt(x))'],
    ['a large power', 'x^16'],
  ])('%s ends no domain: %s', (_, text) => {
    expect(intervals(text)).toBe('(-Infinity, Infinity)');
  });

  test('is described where it has one: log', () => {
    const { range, limits, monotonic, symmetry, kinks, saturates, normal } = of('log(x)');
    expect([range.infimum.value, range.supremum.value, ...limits]).toEqual([-infinite, infinite, -infinite, infinite]);
    expect([monotonic, symmetry, kinks, saturates.left]).toEqual(['increasing', 'none', [], 'no']);
    // E log|z| = -(gamma + log 2) / 2, its variance is pi^2 / 8.
    expect(normal.mean).toBeCloseTo(-(0.5772156649015329 + Math.LN2) / 2, 11);
    expect(normal.variance).toBeCloseTo(Math.PI ** 2 / 8, 11);
  });

  test('takes its value at an end that it includes: sqrt', () => {
    const { range, limits, steepest, normal } = of('sqrt(x)');
    expect(range.infimum).toEqual({ value: 0, at: 0, attained: true });
    expect([...limits, steepest.value]).toEqual([0, infinite, infinite]);
    // E z given z > 0.
    expect(normal.variance + normal.mean ** 2).toBeCloseTo(Math.sqrt(2 / Math.PI), 11);
  });

  test('approaches what it does not take: x log x tends to 0, and has its minimum at 1/e', () => {
    const { range, limits } = of('x*log(x)');
    expect(limits[0]).toBe(0);
    expect(range.infimum.value).toBeCloseTo(-1 / Math.E, 14);
  });

  test('may rise on the far side of a hole: 1/x is odd and not monotonic', () => {
    expect(of('1/x')).toMatchObject({ monotonic: 'no', symmetry: 'odd', kinks: [], limits: [0, 0] });
    expect(of('expm1(x)/x').monotonic).toBe('increasing');
  });

  test('has no kink at the ends of its domain', () => {
    expect(of('sqrt(1 - x*x)')).toMatchObject({ kinks: [], symmetry: 'even', monotonic: 'no' });
    expect(of('sqrt(1 - x*x)').range.supremum).toEqual({ value: 1, at: 0, attained: true });
  });

  test('has only the moments that exist', () => {
    expect(of('1/x').normal).toMatchObject({ mean: Number.NaN, variance: Number.NaN });
    expect(of('1/sqrt(x)').normal.variance).toBe(infinite);
    expect(of('1/sqrt(x)').normal.mean).toBeCloseTo(1.7200799, 6);
    expect(of('log(x - 0.1)').normal.mean).toBeLessThan(0);
  });

  test('may have no value at all', () => {
    const { range, monotonic, symmetry, normal } = of('log(-1 - x*x)');
    expect([range.infimum.value, range.supremum.value, normal.mean]).toEqual([Number.NaN, Number.NaN, Number.NaN]);
    expect([monotonic, symmetry]).toEqual(['no', 'none']);
  });

  test('has its domain to the last bit, wherever that ends', () => {
    fc.assert(
      fc.property(fc.double({ min: -1e6, max: 1e6, noNaN: true }), (c) => {
        const [interval] = of(`sqrt(x - ${c})`.replace('- -', '+ ')).domain;
        expect(interval).toEqual({ from: { x: c + 0, included: true }, to: { x: infinite, included: false } });
      }),
      { numRuns: 25 },
    );
  });
});

describe('gates and row functions', () => {
  test('a gate is linear in its value unless it bends that too', () => {
    const bent = catalogue().filter((formula) => formula.kind === 'gate' && !isLinearInValue(formula));
    expect(bent.map(({ name }) => name).sort()).toEqual(['clampedSwiglu', 'drelu']);
  });

  test('reglu passes nothing for half of its gates, drelu for three quarters of its pairs', () => {
    expect(propertiesOf(formulas.reglu).normal.zeros).toBeCloseTo(0.5, 10);
    expect(propertiesOf(formulas.drelu).normal.zeros).toBeCloseTo(0.75, 10);
    expect(propertiesOf(formulas.bilinear).normal).toEqual({ mean: 0, variance: 1, zeros: 0 });
  });

  test('only the sigmoid gate is half open at 0', () => {
    const closed = catalogue()
      .filter(({ kind }) => kind === 'gate')
      .map((gate) => propertiesOf(gate));
    expect(closed.filter((gate) => 'closesAtZero' in gate && !gate.closesAtZero)).toHaveLength(1);
    expect(propertiesOf(formulas.glu).closesAtZero).toBe(false);
  });

  test('softmax sums to 1 and forgets a shift, solu does neither', () => {
    expect(propertiesOf(formulas.softmax)).toMatchObject({ sumsToOne: true, shiftInvariant: true, nonNegative: true });
    expect(propertiesOf(formulas.logSoftmax)).toMatchObject({ sumsToOne: false, shiftInvariant: true });
    expect(propertiesOf(formulas.solu)).toMatchObject({ sumsToOne: false, shiftInvariant: false });
  });
});

const isLinearInValue = (formula: (typeof formulas)['glu'] | ReturnType<typeof catalogue>[number]): boolean => {
  const own = propertiesOf(formula);
  return 'linearInValue' in own && own.linearInValue;
};

describe('costs', () => {
  test('relu needs no special function, silu one exponential for value and gradient', () => {
    expect(costsOf(formulas.relu).gradient).toMatchObject({ special: 0, exponentials: 0 });
    expect(costsOf(formulas.sigmoid).value).toMatchObject({ special: 1, exponentials: 1 });
    expect(costsOf(formulas.silu).gradient.special).toBeGreaterThan(0);
  });

  test('a gradient costs at least its value', () => {
    for (const formula of catalogue()) {
      const { value, gradient } = costsOf(formula);
      expect(gradient.operations).toBeGreaterThanOrEqual(value.operations);
      expect(gradient.special).toBeGreaterThanOrEqual(value.special);
    }
  });
});
