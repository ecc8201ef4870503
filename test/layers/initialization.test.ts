import { describe, expect, test } from 'vitest';
import { catalogue } from '../../src/activations/catalogue.js';
import {
  activation,
  elu,
  gelu,
  identity,
  leakyRelu,
  relu,
  selu,
  sigmoid,
  silu,
  softsign,
  step,
  tanh,
} from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { Initializer } from '../../src/layers/initialization.js';
import { deviationOf, distributionOf, gainOf, suitedScheme } from '../../src/layers/initialization-schemes.js';
import { Linear } from '../../src/layers/linear.js';
import { interpreter } from '../../src/scalar/interpret.js';

describe('the gain of an activation', () => {
  test.each([
    [identity, 1],
    [relu, Math.SQRT2],
    [leakyRelu, Math.sqrt(2 / (1 + 0.01 ** 2))],
    [selu, 1],
    [step, Math.SQRT2],
    [tanh, 1 / Math.sqrt(0.394294490398)],
  ] as const)('of %o keeps the size of signals', (formula, gain) => {
    expect(gainOf(formula)).toBeCloseTo(gain, 10);
  });

  test('of a function without a second moment, or that is always 0, is 1', () => {
    expect(gainOf(activation('pole', (x) => x.pow(-1)))).toBe(1);
    expect(gainOf(activation('nothing', (x) => x.mul(0)))).toBe(1);
  });

  test('of one that is three times as large is a third', () => {
    expect(gainOf(activation('large', (x) => x.tanh().mul(3)))).toBeCloseTo(gainOf(tanh) / 3, 10);
  });
});

describe('the scheme that suits', () => {
  test.each([
    [[tanh, sigmoid, softsign], 'xavier'],
    [[relu, leakyRelu, elu, gelu, silu], 'he'],
    [[selu, identity], 'lecun'],
  ] as const)('%o follows from what they compute', (formulas, scheme) => {
    for (const formula of formulas) expect(suitedScheme(formula)).toBe(scheme);
    // Not from the name: a formula of one's own has it too.
    for (const { definition, parameters } of formulas) {
      const known = Object.fromEntries(Object.entries(parameters).map(([name, { value }]) => [name, value]));
      const own = activation('own', () => definition, { source: 'here', parameters: known });
      expect(suitedScheme(own)).toBe(scheme);
    }
  });

  test('is known for every activation of the catalogue, with a positive finite gain', () => {
    for (const formula of catalogue()) {
      if (formula.kind !== 'activation') continue;
      const own = formula as typeof relu;
      expect(['xavier', 'he', 'lecun']).toContain(suitedScheme(own));
      expect(gainOf(own)).toBeGreaterThan(0);
      expect(gainOf(own)).toBeLessThan(Number.POSITIVE_INFINITY);
    }
  });
});

test.each([
  ['xavier', tanh, gainOf(tanh) * Math.sqrt(2 / 150)],
  ['xavier', undefined, Math.sqrt(2 / 150)],
  ['he', relu, Math.sqrt(2 / 100)],
  ['lecun', selu, 0.1],
  ['naive', relu, 0.02],
] as const)('%s weights behind %o have a standard deviation of %d', (scheme, behind, deviation) => {
  expect(deviationOf(scheme, { inputs: 100, outputs: 50, behind })).toBeCloseTo(deviation, 10);
});

test.each([relu, selu, gelu])('a signal through many layers of the suited scheme keeps its size: %o', (formula) => {
  const f = interpreter([formula.expression], ['x']);
  // The second moment after each layer, for wide layers: q -> gain^2 E f(sqrt(q) z)^2, whose fixed point is 1.
  let q = 1;
  for (let layer = 0; layer < 50; layer++) {
    let moment = 0;
    for (let z = -8; z < 8; z += 1e-2) {
      const value = f([Math.sqrt(q) * z])[0] ?? 0;
      moment += (value * value * Math.exp((-z * z) / 2) * 1e-2) / Math.sqrt(2 * Math.PI);
    }
    q = moment * deviationOf(suitedScheme(formula), { inputs: 1, outputs: 1, behind: formula }) ** 2;
  }
  expect(q).toBeGreaterThan(0.9);
  expect(q).toBeLessThan(1.1);
});

describe.each([
  ['he', 3],
  ['he-uniform', 1.8],
  ['xavier-uniform', 1.8],
] as const)('%s weights', (scheme, kurtosis) => {
  test('have the mean, the deviation, the bound and the kurtosis of their distribution', async () => {
    const fan = { inputs: 300, outputs: 200, behind: relu };
    const deviation = deviationOf(scheme, fan);
    const device = await openReference();
    const distribution = distributionOf(scheme);
    const { weight } = new Linear(new Initializer(device, 1), fan.inputs, fan.outputs, { deviation, distribution });
    const values = Array.from(await weight.toArray());
    const moment = (power: number): number => values.reduce((sum, x) => sum + x ** power, 0) / values.length;
    expect(Math.abs(moment(1)) / deviation).toBeLessThan(0.015);
    expect(Math.sqrt(moment(2)) / deviation).toBeCloseTo(1, 1.7);
    expect(moment(4) / moment(2) ** 2 / kurtosis).toBeCloseTo(1, 1.3);
    if (kurtosis === 1.8) expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(Math.sqrt(3) * deviation);
  });
});

test('an unknown scheme is refused with the nearest', () => {
  expect(() => deviationOf('glorot' as never, { inputs: 1, outputs: 1 })).toThrow(/one of xavier, he, lecun, naive/);
});
