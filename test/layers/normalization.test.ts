import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { LayerNorm, RmsNorm } from '../../src/layers/normalization.js';
import { gradcheck, type Tensor, tensor } from '../../src/tensor/index.js';
import { initializer, normal, rowsOf, shake, valuesOf } from './support.js';

const device = await openReference();
const [rows, width] = [6, 5];
const mean = (values: readonly number[]): number => values.reduce((sum, x) => sum + x, 0) / values.length;

describe('RMSNorm', () => {
  test('is x / sqrt(mean(x^2) + epsilon) * weight for each row', async () => {
    const norm = shake(new RmsNorm(initializer(device), width, 1e-3));
    const [x, weight] = [normal(device, [2, 3, width]), await valuesOf(norm.weight)];
    const wanted = rowsOf(await valuesOf(x), width).flatMap((row) => {
      const root = Math.sqrt(mean(row.map((value) => value * value)) + 1e-3);
      return row.map((value, i) => (value / root) * (weight[i] ?? 0));
    });
    const output = norm.forward(x);
    expect(output.shape).toEqual([2, 3, width]);
    (await valuesOf(output)).forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] ?? 0, 13);
    });
  });

  test('of a row of zeros is zeros', async () => {
    const norm = new RmsNorm(initializer(device), 3);
    expect(await valuesOf(norm.forward(tensor(device, [0, 0, 0], [1, 3])))).toEqual([0, 0, 0]);
  });
});

describe('LayerNorm', () => {
  test('is (x - mean) / sqrt(variance + epsilon) * weight + bias for each row', async () => {
    const norm = shake(new LayerNorm(initializer(device), width, 1e-3));
    const [x, weight, bias] = [
      normal(device, [rows, width]),
      await valuesOf(norm.weight),
      await valuesOf(norm.bias as Tensor),
    ];
    const wanted = rowsOf(await valuesOf(x), width).flatMap((row) => {
      const centre = mean(row);
      const deviation = Math.sqrt(mean(row.map((value) => (value - centre) ** 2)) + 1e-3);
      return row.map((value, i) => ((value - centre) / deviation) * (weight[i] ?? 0) + (bias[i] ?? 0));
    });
    (await valuesOf(norm.forward(x))).forEach((value, i) => {
      expect(value).toBeCloseTo(wanted[i] ?? 0, 13);
    });
  });

  test('does not change when a number is added to a row', async () => {
    const norm = shake(new LayerNorm(initializer(device), width));
    const x = normal(device, [rows, width]);
    const [plain, shifted] = [await valuesOf(norm.forward(x)), await valuesOf(norm.forward(x.add(100)))];
    plain.forEach((value, i) => {
      expect(shifted[i]).toBeCloseTo(value, 10);
    });
  });
});

test.each([
  ['RMSNorm', RmsNorm, ['weight']],
  ['LayerNorm', LayerNorm, ['weight', 'bias']],
] as const)('%s has the gradients of central differences, and weights that do not decay', async (_, Norm, names) => {
  const norm = shake(new Norm(initializer(device), width));
  const x = normal(device, [2, width]);
  x.requiresGrad = true;
  await gradcheck((input) => norm.forward(input), [x, ...norm.parameters()]);
  expect(norm.namedParameters().map(({ name, decay }) => [name, decay])).toEqual(names.map((name) => [name, false]));
});
