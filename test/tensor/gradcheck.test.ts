import { expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { gradcheck, memory, noGrad, tensor } from '../../src/tensor/index.js';

const device = await openReference();
const leaf = (...values: number[]) => tensor(device, values, undefined, { requiresGrad: true });

test('a right gradient gives a report of what was compared', async () => {
  const report = await gradcheck((x, y) => x.mul(y).exp(), [leaf(0.1, 0.2), leaf(0.3, 0.4)]);
  expect(report.compared).toBe(8);
  expect(report.worst?.excess).toBeLessThan(0.1);
});

test('a wrong gradient is an error that names the worst element', async () => {
  const halfForgotten = gradcheck((x) => x.mul(x.detach()), [leaf(1, 5, 2)]);
  await expect(halfForgotten).rejects.toThrow(
    /element 1 of the result by element 1 of input 0, received "5 and (9\.99999|10\.0000)\d*"/,
  );
  const missing = gradcheck((x) => noGrad(() => x.mul(2)), [leaf(1)]);
  await expect(missing).rejects.toThrow(/received "0 and (1\.9999|2\.0000)/);
});

test('a NaN is out of any tolerance', async () => {
  await expect(gradcheck((x) => x.log(), [leaf(-1)])).rejects.toThrow('NaN');
});

test('tolerances and the step are the caller’s', async () => {
  const nearlyRight = (tolerance: number) =>
    gradcheck((x) => x.mul(x).sub(x.detach().mul(0.001)), [leaf(1)], {
      absoluteTolerance: tolerance,
      relativeTolerance: 0,
      epsilon: 1e-4,
    });
  await expect(nearlyRight(2e-3)).resolves.toMatchObject({ compared: 1 });
  await expect(nearlyRight(5e-4)).rejects.toThrow('central differences');
});

test('inputs keep their values, lose their gradients, and nothing else stays in memory', async () => {
  const [x, constant] = [leaf(1, 2), tensor(device, [3, 4])];
  const before = memory(device).buffers;
  await gradcheck((a, b) => a.mul(b), [x, constant]);
  expect([...(await x.toArray()), ...(await constant.toArray())]).toEqual([1, 2, 3, 4]);
  expect([x.grad, constant.grad]).toEqual([undefined, undefined]);
  // The buffer for the next gradient of x.
  expect(memory(device).buffers).toBe(before + 1);
});

test('only a reference device, and only inputs with requiresGrad, can be checked', async () => {
  await expect(gradcheck((x) => x, [tensor(device, [1])])).rejects.toThrow('one of them at least with requiresGrad');
  await expect(gradcheck(() => tensor(device, [1]), [])).rejects.toThrow('openReference()');
});
