import { afterAll, beforeAll, describe, expect } from 'vitest';
import type { Device } from '../../src/devices/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import type { Tensor } from '../../src/tensor/index.js';

interface TestedDevice {
  readonly name: string;
  readonly open: () => Promise<Device>;
  /** Largest relative error to expect of its arithmetic. */
  readonly tolerance: number;
}

/** Every device that must pass the tests of this folder. */
export const devices: readonly TestedDevice[] = [
  { name: 'reference', open: openReference, tolerance: 1e-9 },
  { name: 'wasm', open: () => openWasm({ threads: 2 }), tolerance: 2e-6 },
];

export interface OnDevice {
  readonly device: Device;
  /** Expects a tensor's shape and values. */
  readonly expectValues: (tensor: Tensor, shape: readonly number[], values: readonly number[]) => Promise<void>;
}

/** Runs a suite on every device; read `on.device` inside tests. */
export function onDevices(suite: (on: OnDevice) => void): void {
  describe.each(devices)('$name', ({ open, tolerance }) => {
    let device: Device | undefined;
    beforeAll(async () => {
      device = await open();
    });
    afterAll(async () => {
      await device?.close();
    });
    suite({
      get device() {
        if (device === undefined) throw new Error('the device opens before the tests run');
        return device;
      },
      async expectValues(tensor, shape, values) {
        expect(tensor.shape).toEqual(shape);
        expectNear(await tensor.toArray(), values, tolerance);
      },
    });
  });
}

export function expectNear(actual: ArrayLike<number>, expected: readonly number[], tolerance = 1e-9): void {
  expect(actual.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) {
    const got = actual[i] ?? Number.NaN;
    const wrong = !(Math.abs(got - value) <= tolerance * Math.max(1, Math.abs(value))) && !Object.is(got, value);
    if (wrong) expect.fail(`element ${i} is ${got}, not ${value}; all: ${Array.from(actual).join(', ')}`);
  }
}

/** Values that differ, are away from 0 and from each other, and look random. */
export const someValues = (count: number, seed = 1): number[] =>
  Array.from({ length: count }, (_, i) => 1.7 * Math.sin(12.9898 * (i + 1) + 78.233 * seed) + 0.01 * (i % 7));
