import { afterAll, describe, expect, test } from 'vitest';
import { sign, step } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { perceptron } from '../../src/models/perceptron.js';
import { derivative } from '../../src/scalar/differentiate.js';
import { simplify } from '../../src/scalar/simplify.js';
import { tensor } from '../../src/tensor/index.js';
import { valuesOf } from '../layers/support.js';

const [device, wasm] = [await openReference(), await openWasm({ threads: 1 })];
afterAll(() => wasm.close());
const and = [0, 0, 0, 1, 1, 0, 1, 1];

describe('a perceptron', () => {
  test.each([
    [device, '0/1', [0, 0, 0, 1]],
    [device, '-1/1', [-1, -1, -1, 1]],
    [wasm, '0/1', [0, 0, 0, 1]],
    [wasm, '-1/1', [-1, -1, -1, 1]],
  ] as const)('on $name learns AND with outputs %s in a few passes', async (on, outputs, targets) => {
    const unit = perceptron(on, { inputs: 2, outputs });
    const [x, y] = [tensor(on, and, [4, 2]), tensor(on, targets)];
    for (let pass = 0; pass < 10; pass++) unit.learn(x, y);
    expect(await valuesOf(unit.forward(x))).toEqual(targets);
    const before = await valuesOf(unit.weight);
    unit.learn(x, y);
    expect(await valuesOf(unit.weight)).toEqual(before);
  });

  test('never learns XOR', async () => {
    const unit = perceptron(device, { inputs: 2 });
    const x = tensor(device, and, [4, 2]);
    for (let pass = 0; pass < 50; pass++) unit.learn(x, tensor(device, [0, 1, 1, 0]));
    expect(await valuesOf(unit.forward(x))).not.toEqual([0, 1, 1, 0]);
  });

  test("follows Rosenblatt's rule example by example", async () => {
    const unit = perceptron(device, { inputs: 2 });
    const examples = [
      [1, 2],
      [-1, 1],
      [2, -1],
      [0.5, 0.5],
    ] as const;
    const targets = [0, 1, 0, 1];
    let [w1, w2, b] = [0, 0, 0];
    examples.forEach(([p, q], i) => {
      const error = (targets[i] ?? 0) - (w1 * p + w2 * q + b < 0 ? 0 : 1);
      [w1, w2, b] = [w1 + 0.5 * error * p, w2 + 0.5 * error * q, b + 0.5 * error];
    });
    unit.learn(tensor(device, examples), tensor(device, targets), 0.5);
    expect([...(await valuesOf(unit.weight)), ...(await valuesOf(unit.bias))]).toEqual([w1, w2, b]);
  });

  test('refuses targets that are not one for each example', () => {
    const unit = perceptron(device, { inputs: 2 });
    expect(() => unit.learn(tensor(device, and, [4, 2]), tensor(device, [0, 1]))).toThrow(/each of its 4 examples/);
    expect(() => perceptron(device, { inputs: 2, outputs: '0/2' as never })).toThrow(/one of 0\/1, -1\/1/);
  });

  test.each([step, sign])('has a derivative of zero, so that no gradient moves it: %o', (unit) => {
    expect(simplify(derivative(unit.expression, 'x')).value).toBe(0);
  });
});
