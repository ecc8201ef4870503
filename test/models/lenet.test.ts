import { describe, expect, test } from 'vitest';
import { relu, tanh } from '../../src/activations/index.js';
import { openReference } from '../../src/devices/reference/index.js';
import { Mode } from '../../src/layers/mode.js';
import { lenet, lenet1989 } from '../../src/models/lenet.js';
import { gradcheck } from '../../src/tensor/index.js';
import { normal, valuesOf } from '../layers/support.js';

const device = await openReference();

describe('a LeNet', () => {
  test('of 1989 halves images twice, under the names of PyTorch', () => {
    const model = lenet1989(device);
    expect(Object.fromEntries(model.namedParameters().map((one) => [one.name, one.tensor.shape]))).toEqual({
      ...{ 'conv1.weight': [12, 1, 5, 5], 'conv1.bias': [12], 'conv2.weight': [12, 12, 5, 5], 'conv2.bias': [12] },
      ...{ 'fc1.weight': [30, 588], 'fc1.bias': [30], 'fc2.weight': [10, 30], 'fc2.bias': [10] },
    });
    expect(model.forward(normal(device, [2, 1, 28, 28]), Mode.evaluation()).shape).toEqual([2, 10]);
  });

  test('of 1998 has the shapes of LeNet-5', () => {
    const model = lenet(device);
    expect(model.parameterCount).toBe(61_706);
    expect(model.fc1.weight.shape).toEqual([120, 400]);
    expect(model.forward(normal(device, [1, 1, 28, 28]), Mode.evaluation()).shape).toEqual([1, 10]);
  });

  test.each([
    'max',
    'average',
  ] as const)('with %s pooling has the gradients of central differences', async (pooling) => {
    const model = lenet(device, { side: 12, outputs: 2, activation: tanh, pooling });
    const images = normal(device, [1, 1, 12, 12]);
    const some = model.parameters().filter(({ size }) => size < 100);
    await gradcheck(() => model.forward(images, Mode.evaluation()).tanh().sum(), some);
  });

  test('begins with signals of one size, whatever the activation', async () => {
    for (const activation of [tanh, relu]) {
      const model = lenet1989(device, { activation });
      const outputs = await valuesOf(model.forward(normal(device, [8, 1, 28, 28]), Mode.evaluation()));
      const size = Math.sqrt(outputs.reduce((sum, value) => sum + value * value, 0) / outputs.length);
      expect(size).toBeGreaterThan(0.3);
      expect(size).toBeLessThan(3);
    }
  });

  test.each([
    [() => lenet(device, { side: 11 }), /a LeNet reads images of 12 pixels across or more, received 11/],
    [() => lenet(device, { pooling: Object('mean') }), /the pooling of a LeNet/],
    [() => lenet1989(device, Object({ pooling: 'max' })), /pooling/],
    [
      () => lenet(device).forward(normal(device, [1, 28, 28]), Mode.evaluation()),
      /a Conv2d takes \[batch, channels 1, height, width\], received \[1, 28, 28\]/,
    ],
  ])('refuses what does not fit: %#', (attempt, message) => {
    expect(attempt).toThrow(message);
  });
});
