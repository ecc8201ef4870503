import { describe, expect, test } from 'vitest';
import { randomKey } from '../../src/base/random.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { alphaDropout, dropout } from '../../src/layers/dropout.js';
import { Mode } from '../../src/layers/mode.js';
import { gradcheck, ones, randn } from '../../src/tensor/index.js';
import { normal, valuesOf } from './support.js';

const device = await openReference();
const count = 20_000;
const x = ones(device, [count]);

describe('dropout', () => {
  test.each([0.1, 0.5, 0.9])('zeros a share of %d and scales the rest so that the mean stays', async (probability) => {
    const values = await valuesOf(dropout(x, probability, Mode.training(1, 1)));
    const zeros = values.filter((value) => value === 0).length / count;
    expect(Math.abs(zeros - probability)).toBeLessThan(5 * Math.sqrt((probability * (1 - probability)) / count));
    for (const value of new Set(values)) expect([0, 1 / (1 - probability)]).toContain(value);
  });

  test('does nothing in evaluation, nor with a probability of 0', () => {
    expect(dropout(x, 0.5, Mode.evaluation())).toBe(x);
    expect(dropout(x, 0, Mode.training(1, 1))).toBe(x);
  });

  test('depends on seed, step, micro-batch and its place in the pass alone', async () => {
    const draw = (mode: Mode): Promise<number[]> => valuesOf(dropout(x, 0.5, mode));
    const mode = Mode.training(1, 5);
    const [first, second] = [await draw(mode), await draw(mode)];
    expect(second).not.toEqual(first);
    const again = Mode.training(1, 5);
    expect([await draw(again), await draw(again)]).toEqual([first, second]);
    for (const other of [Mode.training(2, 5), Mode.training(1, 6), Mode.training(1, 5, 1)]) {
      const overlap = (await draw(other)).filter((value, i) => (value === 0) === (first[i] === 0)).length / count;
      expect(Math.abs(overlap - 0.5)).toBeLessThan(5 / Math.sqrt(4 * count));
    }
  });

  test('drops the same elements on every device and for any number of threads', async () => {
    const wanted = (await valuesOf(dropout(x, 0.3, Mode.training(9, 2)))).map((value) => value === 0);
    for (const threads of [1, 2]) {
      const wasm = await openWasm({ threads });
      const values = await valuesOf(dropout(ones(wasm, [count]), 0.3, Mode.training(9, 2)));
      await wasm.close();
      expect(values.map((value) => value === 0)).toEqual(wanted);
    }
  });

  test.each([-0.1, 1, 1.5, Number.NaN])('refuses a probability of %d', (probability) => {
    expect(() => dropout(x, probability, Mode.evaluation())).toThrow(/at least 0 and below 1/);
  });

  test('passes the gradient to what it kept', async () => {
    const input = normal(device, [4, 3]);
    input.requiresGrad = true;
    await gradcheck((t) => dropout(t, 0.5, Mode.training(3, 3)), [input]);
  });
});

describe('alpha dropout', () => {
  test.each([0.1, 0.5])('keeps mean 0 and variance 1 at a probability of %d', async (probability) => {
    const units = randn(device, [200_000], randomKey(1, 'noise'));
    const values = await valuesOf(alphaDropout(units, probability, Mode.training(1, 1)));
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.02);
    expect(Math.abs(variance - 1)).toBeLessThan(0.02);
  });

  test('does nothing in evaluation, and refuses a probability of 1', () => {
    expect(alphaDropout(x, 0.5, Mode.evaluation())).toBe(x);
    expect(() => alphaDropout(x, 1, Mode.evaluation())).toThrow(/at least 0 and below 1/);
  });
});
