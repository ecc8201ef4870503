import { expect, test } from 'vitest';
import { resolveActivation } from '../../src/activations/catalogue.js';
import { evaluateFormula } from '../../src/experiments/evaluate-formula.js';
import { openDevices } from '../support/devices.js';

const { reference, others } = await openDevices();

/** [x, the derivative there]. */
const cases: readonly (readonly [string, readonly (readonly [number, number])[]])[] = [
  // From the right x^x falls like x log x.
  [
    'pow(x, x)',
    [
      [0, Number.NEGATIVE_INFINITY],
      [-0, Number.NEGATIVE_INFINITY],
      [1, 1],
      [Number.NaN, Number.NaN],
    ],
  ],
  [
    'pow(x, x + 1)',
    [
      [0, 1],
      [1, 2],
    ],
  ],
  [
    'pow(relu(x), 2 + sigmoid(x))',
    [
      [0, 0],
      [-3, 0],
      [1, 2 + 1 / (1 + Math.exp(-1))],
    ],
  ],
  [
    'pow(x, 0.5 + 0*x)',
    [
      [0, Number.POSITIVE_INFINITY],
      [4, 0.25],
    ],
  ],
];

test.each(cases)('the derivative of %s is that of the mathematics on every device', async (text, points) => {
  for (const device of [reference, ...others]) {
    const { derivatives } = await evaluateFormula(device, resolveActivation(text), [points.map(([x]) => x)]);
    const found = Array.from(derivatives[0] ?? []);
    points.forEach(([x, wanted], i) => {
      const at = `${device.description} at ${x}`;
      if (Number.isFinite(wanted)) expect(found[i], at).toBeCloseTo(wanted, 6);
      else expect(found[i], at).toBe(wanted);
    });
  }
});
