import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import type { RowKernel } from '../../src/kernels/kernel.js';
import { variable } from '../../src/scalar/expression.js';
import { gradcheck, ones, rowTensors, type Tensor, tensor } from '../../src/tensor/index.js';
import { onDevices, someValues } from './devices.js';

const [x, y, weight, bias] = [variable('x'), variable('y'), variable('weight'), variable('bias')];
const [target, epsilon] = [variable('target'), variable('epsilon')];
const [length, position] = [variable('length'), variable('position')];

const rmsNormRow = [x.div(x.mul(x).sum().div(length).add(epsilon).sqrt()).mul(weight)] as const;
const centred = x.sub(x.sum().div(length));
const deviation = centred.mul(centred).sum().div(length).add(epsilon).sqrt();
const layerNormRow = [centred.div(deviation).mul(weight).add(bias)] as const;

const shifted = x.sub(x.maximum());
const atTarget = position.sub(target).abs();
const loss = shifted
  .exp()
  .sum()
  .log()
  .sub(atTarget.whereLess(0.5, shifted, 0).sum());
/** -log softmax(x)[target], and 0 where the target is -100. */
const crossEntropyRow = [target.whereLess(-99.5, 0, loss)] as const;

const rmsNorm = (t: Tensor, w: Tensor): Tensor =>
  rowTensors(rmsNormRow, { elements: { x: t }, columns: { weight: w } }, { epsilon: 1e-5 })[0];
const layerNorm = (t: Tensor, w: Tensor, b: Tensor): Tensor =>
  rowTensors(layerNormRow, { elements: { x: t }, columns: { weight: w, bias: b } }, { epsilon: 1e-5 })[0];
const crossEntropy = (logits: Tensor, targets: Tensor): Tensor =>
  rowTensors(crossEntropyRow, { elements: { x: logits }, rows: { target: targets } })[0];

const sizeOf = (shape: readonly number[]): number => shape.reduce((product, size) => product * size, 1);

onDevices((on) => {
  test('rmsNorm scales each row to unit mean square', async () => {
    const t = tensor(on.device, [[[3, 4]], [[-6, 8]]]);
    const normed = rmsNorm(t, tensor(on.device, [1, 10]));
    const [a, b] = [Math.sqrt(12.5 + 1e-5), Math.sqrt(50 + 1e-5)];
    await on.expectValues(normed, [2, 1, 2], [3 / a, 40 / a, -6 / b, 80 / b]);
  });

  test('cross-entropy has a loss for each row, and none where the target is -100', async () => {
    const logits = tensor(on.device, [
      [1, 2, 3],
      [0, 0, 0],
      [5, 1, 1],
    ]);
    const losses = crossEntropy(logits, tensor(on.device, Int32Array.of(2, -100, 1)));
    const total = (values: readonly number[]): number => Math.log(values.reduce((sum, one) => sum + Math.exp(one), 0));
    await on.expectValues(losses, [3], [total([1, 2, 3]) - 3, 0, total([5, 1, 1]) - 1]);
  });

  test('one kernel gives values for elements and for rows', async () => {
    const outputs = [x.sub(x.sum().div(length)), x.maximum(), x.mul(position).sum()] as const;
    const [centredRows, largest, moments] = rowTensors(outputs, {
      elements: {
        x: tensor(on.device, [
          [1, 3],
          [4, 0],
        ]),
      },
    });
    await on.expectValues(centredRows, [2, 2], [-1, 1, 2, -2]);
    await on.expectValues(largest, [2], [3, 4]);
    await on.expectValues(moments, [2], [3, 0]);
  });

  test('elements broadcast, and lie in any order', async () => {
    const [t, row] = [
      tensor(on.device, [
        [1, 2],
        [3, 4],
      ]),
      tensor(on.device, [10, 20]),
    ];
    const [result] = rowTensors([x.mul(y).sum()], { elements: { x: t.transpose(0, 1), y: row } });
    await on.expectValues(result, [2], [70, 100]);
    const [wide] = rowTensors([x.div(x.sum())], { elements: { x: t.expand([2, 2, 2]).slice(0, 0, 1) } });
    await on.expectValues(wide, [1, 2, 2], [1 / 3, 2 / 3, 3 / 7, 4 / 7]);
  });

  test('operands that do not fit are refused with the shapes', () => {
    const t = ones(on.device, [2, 3]);
    expect(() => rmsNorm(t, ones(on.device, [2]))).toThrow(
      'row along rows of [2, 3] takes weight as [3], received [2]',
    );
    expect(() => crossEntropy(t, ones(on.device, [3]))).toThrow('takes target as [2], received [3]');
    expect(() => rmsNorm(ones(on.device, []), ones(on.device, [1]))).toThrow('needs an axis to run along');
    expect(() => rowTensors([length], { elements: {} })).toThrow('at least one tensor of elements');
    expect(() => rowTensors([x.add(variable('weigth'))], { elements: { x: t, weight: t } })).toThrow(
      'Did you mean "weight"?',
    );
  });
});

describe('gradients', async () => {
  const device = await openReference();
  const leaf = (shape: readonly number[], seed: number): Tensor =>
    tensor(device, someValues(sizeOf(shape), seed), shape, { requiresGrad: true });
  const factors = (shape: readonly number[]): Tensor => tensor(device, someValues(sizeOf(shape), 9), shape);

  test('norms, by elements and columns', async () => {
    await gradcheck((t, w) => rmsNorm(t, w).mul(factors([2, 3, 4])), [leaf([2, 3, 4], 1), leaf([4], 2)]);
    await gradcheck(
      (t, w, b) => layerNorm(t, w, b).mul(factors([3, 4])),
      [leaf([3, 4], 1), leaf([4], 2), leaf([4], 3)],
    );
  });

  test('norms, by some of the operands only', async () => {
    const [t, w, b] = [leaf([3, 4], 1), leaf([4], 2), leaf([4], 3)];
    await gradcheck((one) => rmsNorm(t.detach(), one).tanh(), [w]);
    await gradcheck((one) => rmsNorm(one, w.detach()).tanh(), [t]);
    await gradcheck((one) => layerNorm(t.detach(), w.detach(), one).tanh(), [b]);
  });

  test('norms inside residuals, on views, and with weights that are used twice', async () => {
    const [t, w] = [leaf([3, 8], 1), leaf([8], 2)];
    await gradcheck((one, two) => one.add(rmsNorm(one, two)), [t, w]);
    await gradcheck((one, two) => rmsNorm(rmsNorm(one, two).add(one), two), [t, w]);
    await gradcheck((one, two) => rmsNorm(one.slice(1, 2, 6), two.slice(0, 0, 4)).add(one.slice(1, 0, 4)), [t, w]);
    await gradcheck((one) => rmsNorm(one.transpose(0, 1), one.select(1, 0)), [leaf([3, 4], 3)]);
  });

  test('cross-entropy, with ignored rows', async () => {
    const targets = tensor(device, Int32Array.of(3, -100, 0));
    const logits = leaf([3, 4], 1);
    await gradcheck((t) => crossEntropy(t, targets), [logits]);
    crossEntropy(logits, targets).sum().backward();
    expect(Array.from((await logits.grad?.toArray()) ?? []).slice(4, 8)).toEqual([0, 0, 0, 0]);
  });

  test('values of rows as operands and as outputs, whether or not all outputs are used', async () => {
    const outputs = [x.mul(y).add(x.sum()), x.mul(x).sum().mul(y)] as const;
    const inputs = [leaf([3, 4], 1), leaf([3], 2)];
    const run = (t: Tensor, r: Tensor): readonly [Tensor, Tensor] =>
      rowTensors(outputs, { elements: { x: t }, rows: { y: r } });
    await gradcheck((t, r) => run(t, r)[0], inputs);
    await gradcheck((t, r) => run(t, r)[1], inputs);
    await gradcheck((t, r) => run(t, r)[0].tanh().sum(1).mul(run(t, r)[1]), inputs);
    await gradcheck((t, r) => {
      const [elements, rows] = run(t, r);
      return elements.mul(rows.unsqueeze(1)).add(r.unsqueeze(1));
    }, inputs);
  });

  test('a gradient that is one value for the row reaches every element', async () => {
    await gradcheck((t) => rowTensors([x.sum().mul(x.sum())], { elements: { x: t } })[0], [leaf([3, 4], 1)]);
    await gradcheck((t) => rowTensors([x.sum()], { elements: { x: t } })[0].add(t.select(1, 0)), [leaf([3, 4], 1)]);
  });

  test('repeated elements collect the gradients of all rows', async () => {
    const run = (t: Tensor, r: Tensor): Tensor => rowTensors([x.mul(y).tanh().sum()], { elements: { x: t, y: r } })[0];
    await gradcheck(run, [leaf([3, 4], 1), leaf([4], 2)]);
    await gradcheck(run, [leaf([3, 4], 1), leaf([3, 1], 2)]);
  });

  test('a column gradient may need sums over rows of gradients', async () => {
    const outputs = [x.mul(weight).sub(x.mul(weight).sum().mul(weight))] as const;
    const run = (t: Tensor, w: Tensor): Tensor =>
      rowTensors(outputs, { elements: { x: t }, columns: { weight: w } })[0].mul(factors([3, 4]));
    await gradcheck(run, [leaf([3, 4], 1), leaf([4], 2)]);
    await gradcheck((w) => run(leaf([3, 4], 1).detach(), w), [leaf([4], 2)]);
  });
});

test('forward hands the row values it computes to backward: no reduction is done twice', async () => {
  const device = await openReference();
  const kernels: RowKernel[] = [];
  const original = device.row;
  Object.assign(device, {
    row: (...args: Parameters<typeof original>) => {
      kernels.push(args[0]);
      original(...args);
    },
  });
  const logits = tensor(device, someValues(8), [2, 4], { requiresGrad: true });
  crossEntropy(logits, tensor(device, Int32Array.of(1, 2))).backward(ones(device, [2]));
  expect(kernels.map(({ outputs }) => outputs.length)).toEqual([4, 1]);
  const reductions = kernels.map(({ outputs }) => JSON.stringify(outputs).match(/"reduction"/g)?.length ?? 0);
  expect(reductions[0]).toBeGreaterThan(0);
  expect(reductions[1]).toBe(0);
});
