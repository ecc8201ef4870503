import { afterAll, describe, expect, test } from 'vitest';
import { find, logSoftmax, type RowFunction, softmax } from '../../src/activations/index.js';
import type { Device } from '../../src/devices/device.js';
import { openNative } from '../../src/devices/native/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { evaluateRow } from '../../src/experiments/evaluate-formula.js';
import { hasCompiler } from '../support/devices.js';
import { golden, numbers } from '../support/golden.js';
import { error32 } from '../support/ulp.js';

const devices: Readonly<Record<string, Device>> = {
  reference: await openReference(),
  wasm: await openWasm({ threads: 1 }),
  'wasm, deterministic': await openWasm({ threads: 1, deterministic: true }),
  ...(hasCompiler ? { native: await openNative({ threads: 1 }) } : {}),
};
afterAll(async () => {
  for (const device of Object.values(devices)) await device.close();
});

/** Values and Jacobians that are further from the exact ones than max(4 ULP, 2^-126). */
async function misses(device: Device, formula: RowFunction, entry: (typeof golden.rows)[number]): Promise<unknown[]> {
  const found: unknown[] = [];
  for (const [v, vector] of golden.vectors.entries()) {
    const { y, jacobian } = await evaluateRow(device, formula, numbers(vector));
    const compare = (what: string, actual: readonly number[], exact: readonly number[]): void => {
      exact.forEach((wanted, i) => {
        const got = actual[i] ?? Number.NaN;
        if (!(error32(got, wanted) <= 4)) found.push({ x: numbers(vector), what, i, got, wanted });
      });
    };
    compare('y', y, numbers(entry.y[v] ?? []));
    entry.jacobian[v]?.forEach((row, i) => {
      compare(`jacobian of y[${i}]`, jacobian[i] ?? [], numbers(row));
    });
  }
  return found;
}

describe.each(Object.entries(devices))('on %s', (_, device) => {
  test.each(golden.rows)('$name and its Jacobian hold the accuracy contract', async (entry) => {
    expect(await misses(device, find(entry.name, 'row'), entry)).toEqual([]);
  });

  test("a softmax that is nearly certain keeps its gradient's digits", async () => {
    const { jacobian } = await evaluateRow(device, softmax, [-30, 0]);
    const exact = 9.357622968838423e-14;
    expect(error32(jacobian[1]?.[1] ?? 0, exact)).toBeLessThanOrEqual(4);
    expect(error32(jacobian[1]?.[0] ?? 0, -exact)).toBeLessThanOrEqual(4);
  });

  test('a row with ties at its maximum has the gradient of its limit', async () => {
    const { jacobian } = await evaluateRow(device, logSoftmax, [3, 3, 3, 3]);
    expect(jacobian[0]).toEqual([0.75, -0.25, -0.25, -0.25]);
  });
});
