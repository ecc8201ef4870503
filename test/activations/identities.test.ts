import { describe, expect, test } from 'vitest';
import {
  type Activation,
  celu,
  elu,
  find,
  gelu,
  geluTanh,
  glu,
  leakyRelu,
  prelu,
  quickGelu,
  reglu,
  relu,
  rrelu,
  sigmoid,
  silu,
  softmax,
  softplus,
  swiglu,
  swish,
  tanh,
  xielu,
} from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { derivative } from '../../src/scalar/differentiate.js';
import { type Expression, variable } from '../../src/scalar/expression.js';
import { evaluate } from '../../src/scalar/interpret.js';
import { simplify } from '../../src/scalar/simplify.js';
import { rowTensors, tensor } from '../../src/tensor/index.js';

const x = variable('x');
const points = [-40, -8, -3.3, -1, -0.2, -1e-6, 0, 1e-6, 0.4, 1, 2.7, 9, 40];

/** Both sides have the same value and derivative everywhere. */
function expectSame(left: Expression, right: Expression, tolerance = 1e-14): void {
  for (const [a, b] of [[left, right] as const, [derivative(left, 'x'), derivative(right, 'x')] as const]) {
    for (const at of points) {
      const [actual, wanted] = [evaluate(a, { x: at }), evaluate(b, { x: at })];
      expect(Math.abs(actual - wanted), `${actual} and ${wanted} at ${at}`).toBeLessThanOrEqual(
        tolerance * Math.max(1, Math.abs(wanted)),
      );
    }
  }
}

const same: readonly [string, Expression, Expression][] = [
  ['tanh x is 2 sigmoid(2x) - 1', tanh.of(x), sigmoid.of(x.mul(2)).mul(2).sub(1)],
  ['swish with beta 0 is x / 2', swish.with({ beta: 0 }).of(x), x.div(2)],
  ['swish with beta 1 is silu', swish.with({ beta: 1 }).of(x), silu.of(x)],
  ['swish with beta 1.702 is quickGelu', swish.with({ beta: 1.702 }).of(x), quickGelu.of(x)],
  ['celu with alpha 1 is elu with alpha 1', celu.with({ alpha: 1 }).of(x), elu.with({ alpha: 1 }).of(x)],
  ['leakyRelu with slope 0 is relu', leakyRelu.with({ slope: 0 }).of(x), relu.of(x)],
  ['prelu with slope 0 is relu', prelu.with({ slope: 0 }).of(x), relu.of(x)],
  [
    'rrelu with equal bounds is leakyRelu',
    rrelu.with({ lower: 0.2, upper: 0.2 }).of(x),
    leakyRelu.with({ slope: 0.2 }).of(x),
  ],
  ['gelu is x Phi(x)', gelu.of(x), x.mul(x.normalCdf())],
  ['gelu is x (1 + erf(x / sqrt 2)) / 2', gelu.of(x), x.mul(x.mul(Math.SQRT1_2).erf().add(1)).mul(0.5)],
  ['softplus is -logSigmoid(-x)', softplus.of(x), find('logSigmoid', 'activation').of(x.neg()).neg()],
  ['softplus x - softplus(-x) is x', softplus.of(x).sub(softplus.of(x.neg())), x],
  ['sigmoid x + sigmoid(-x) is 1', sigmoid.of(x).add(sigmoid.of(x.neg())), x.mul(0).add(1)],
  ['gelu x - gelu(-x) is x', gelu.of(x).sub(gelu.of(x.neg())), x],
  ['silu x - silu(-x) is x', silu.of(x).sub(silu.of(x.neg())), x],
  ['glu with a gate and a value of x is silu', glu.of(x, x), silu.of(x)],
  ['swiglu with a value of 1 is silu', swiglu.of(x, x.mul(0).add(1)), silu.of(x)],
  ['reglu with a gate and a value of x is relu squared', reglu.of(x, x), find('relu2', 'activation').of(x)],
  ['swiglu with beta 0 is half the bilinear gate', swiglu.with({ beta: 0 }).of(x, x), x.mul(x).div(2)],
];

test.each(same)('%s', (_, left, right) => {
  expectSame(left, right);
});

test.each<[string, Activation, Activation]>([
  ['swish with beta 1 and silu', swish, silu],
  ['swish with beta 1.702 and quickGelu', swish.with({ beta: 1.702 }), quickGelu],
  ['celu and elu with alpha 1', celu, elu],
])('%s simplify to one expression', (_, a, b) => {
  expect(simplify(a.expression)).toBe(simplify(b.expression));
});

test('swish with a large beta is relu, but near 0', () => {
  for (const at of points.filter((point) => Math.abs(point) > 1e-3)) {
    expect(evaluate(swish.with({ beta: 1e5 }).of(x), { x: at })).toBeCloseTo(Math.max(at, 0), 12);
  }
});

test('the tanh form of gelu is within 5e-4 of gelu, the sigmoid form within 0.021', () => {
  const worst = (form: Activation): number =>
    Math.max(
      ...Array.from({ length: 2001 }, (_, i) => (i - 1000) / 100).map((at) =>
        Math.abs(evaluate(form.of(x), { x: at }) - evaluate(gelu.of(x), { x: at })),
      ),
    );
  expect(worst(geluTanh)).toBeLessThan(5e-4);
  expect(worst(quickGelu)).toBeLessThan(0.021);
});

test('xielu is smooth at 0', () => {
  const slope = derivative(xielu.of(x), 'x');
  expect(evaluate(slope, { x: -1e-5 })).toBeCloseTo(evaluate(slope, { x: 1e-5 }), 4);
});

describe('softmax', async () => {
  const device = await openReference();
  const softmaxOf = async (row: readonly number[]): Promise<number[]> => {
    const rows = tensor(device, row, [1, row.length]);
    return Array.from(await rowTensors([softmax.expression], { elements: { x: rows } })[0].toArray());
  };

  test('of two is the sigmoid of their difference', async () => {
    for (const [a, b] of [
      [0, 0],
      [1, -2],
      [-30, 4],
      [700, 3],
      [-5, -5.5],
    ] as const) {
      const [first = 0, second = 0] = await softmaxOf([a, b]);
      expect(first).toBeCloseTo(evaluate(sigmoid.of(x), { x: a - b }), 14);
      expect(second).toBeCloseTo(evaluate(sigmoid.of(x), { x: b - a }), 14);
    }
  });

  test('does not change when a number is added to all', async () => {
    const [plain, shifted] = [await softmaxOf([1, 2, 5]), await softmaxOf([501, 502, 505])];
    plain.forEach((value, i) => {
      expect(shifted[i]).toBeCloseTo(value, 14);
    });
  });
});
