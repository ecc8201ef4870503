import { afterAll, describe, expect, test } from 'vitest';
import { isElementwise } from '../../src/activations/evaluate.js';
import { activation, catalogue, gelu, prelu, softmax, swiglu } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { worstErrors } from '../../src/experiments/accuracy.js';
import { evaluateFormula, evaluateRow } from '../../src/experiments/evaluate-formula.js';
import { formulaSpeed } from '../../src/experiments/formula-speed.js';

const wasm = await openWasm({ threads: 1, deterministic: true });
const reference = await openReference();
afterAll(async () => {
  await wasm.close();
  await reference.close();
});

describe.each([wasm, reference])('on $name', (device) => {
  test('an activation gives its value and its derivative at each point', async () => {
    const { y, derivatives } = await evaluateFormula(device, gelu, [[-1, 0, Number.POSITIVE_INFINITY, Number.NaN]]);
    expect(y).toEqual([Math.fround(-0.15865525393145707), 0, Number.POSITIVE_INFINITY, Number.NaN]);
    expect(derivatives).toEqual([[expect.closeTo(-0.0833154705876862, 7), 0.5, 1, Number.NaN]]);
  });

  test('a gate gives a derivative for each input', async () => {
    const { y, derivatives } = await evaluateFormula(device, swiglu, [[0], [3]]);
    expect([y, derivatives]).toEqual([[0], [[1.5], [0]]]);
  });

  test('learned parameters take part with their initial values', async () => {
    const { y } = await evaluateFormula(device, prelu.with({ slope: 0.5 }), [[-8, 8]]);
    expect(y).toEqual([-4, 8]);
  });

  test('lists of unequal lengths are refused', async () => {
    await expect(evaluateFormula(device, swiglu, [[1, 2], [3]])).rejects.toMatchObject({ code: 'shape' });
  });

  test('evaluating leaves no memory behind', async () => {
    const before = device.memory().liveBytes;
    await evaluateFormula(device, gelu, [[1, 2, 3]]);
    await evaluateRow(device, softmax, [1, 2, 3]);
    expect(device.memory().liveBytes).toBe(before);
  });

  test('an empty row has an empty Jacobian', async () => {
    expect(await evaluateRow(device, softmax, [])).toEqual({ y: [], jacobian: [] });
  });

  test('every formula can be timed, values and gradients', async () => {
    const before = device.memory().liveBytes;
    for (const formula of catalogue()) {
      const { value, gradient } = await formulaSpeed(device, formula, { elements: 64, repetitions: 1 });
      expect(value.nanosecondsPerElement * value.gigaelementsPerSecond).toBeCloseTo(1, 9);
      expect(gradient.nanosecondsPerElement).toBeGreaterThan(0);
    }
    expect(device.memory().liveBytes).toBe(before);
  });
});

describe('the worst error over a sample', () => {
  test('is found, with its place', async () => {
    const cancelling = activation('cancelling', (x) => x.add(1).sub(x.mul(x).add(1).sqrt()));
    const { value } = await worstErrors(wasm, cancelling, [1e-3, 1]);
    expect(value.at).toHaveLength(1);
    expect(value.ulp).toBeLessThan(1);
  });

  test.each(catalogue().filter(isElementwise))('of $name is within the accuracy contract', async (formula) => {
    const { value, derivative } = await worstErrors(wasm, formula);
    expect(value.ulp).toBeLessThanOrEqual(4);
    expect(derivative.ulp).toBeLessThanOrEqual(4);
  });
});
