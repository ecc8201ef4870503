import { describe, expect, test } from 'vitest';
import { openDevices, place, randomValues } from '../support/devices.js';

const { others } = await openDevices();

describe.each(others.map((device) => [`${device.name}, ${device.description}`, device] as const))('%s', (_, device) => {
  test.each([
    [32, 100, 70],
    [1, 33, 9],
    [7, 5000, 3],
    [500, 40, 600],
    [32, 256, 1100],
  ])('a matrix that is held gives the products of what it was: %i x %i, sums over %i', async (m, n, k) => {
    for (const strides of [
      [n, 1],
      [1, k],
    ]) {
      const x = place(device, [1, m, k], randomValues(m * k, 1));
      const y = { ...place(device, [k, n], randomValues(k * n, 2)), strides };
      const asBatch = { ...y, shape: [1, k, n], strides: [0, ...strides] };
      const buffer = device.hold?.(y);
      if (buffer === undefined) throw new Error(`${device.name} holds matrices`);
      for (const accumulate of [true, false]) {
        const [wanted, got] = [
          place(device, [1, m, n], randomValues(m * n, 3)),
          place(device, [1, m, n], randomValues(m * n, 3)),
        ];
        device.write(randomValues(k * n, 2), { ...y, shape: [k * n], strides: [1] });
        device.matmul(x, asBatch, wanted, accumulate);
        device.write(new Float32Array(k * n), { ...y, shape: [k * n], strides: [1] });
        device.matmul(x, { ...asBatch, buffer, offset: 0 }, got, accumulate);
        const [exact, found] = [await device.read(wanted), await device.read(got)];
        const largest = Math.max(...exact.map(Math.abs));
        expect(Math.max(...found.map((value, i) => Math.abs(value - (exact[i] ?? 0))))).toBeLessThan(1e-6 * largest);
        for (const view of [wanted, got]) device.free(view.buffer);
      }
      for (const one of [x.buffer, y.buffer, buffer]) device.free(one);
    }
  });
});
