import { afterAll, test } from 'vitest';
import { randomKey, randomUniform } from '../../src/base/random.js';
import type { Device, View } from '../../src/devices/device.js';
import { findCompiler } from '../../src/devices/native/compiler.js';
import { openNative } from '../../src/devices/native/device.js';
import { openReference } from '../../src/devices/reference/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';

/** Whether there is a C compiler, which tests of the native device need. */
export const hasCompiler = (await findCompiler()) !== undefined;

/** The devices that every conformance test runs on, beside the reference that they are held against. */
export async function openDevices(): Promise<{ reference: Device; others: readonly Device[] }> {
  const reference = await openReference();
  const others = [
    await openWasm({ threads: 1 }),
    await openWasm({ threads: 2 }),
    await openWasm({ threads: 2, deterministic: true }),
  ];
  if (hasCompiler) {
    others.push(await openNative({ threads: 1 }), await openNative({ threads: 2 }));
    others.push(await openNative({ threads: 2, deterministic: true }));
  } else test.skip('the native device (there is no C compiler)');
  afterAll(() => Promise.all([reference, ...others].map((device) => device.close())));
  return { reference, others };
}

/** Reproducible float32 values in [-scale, scale). */
export const randomValues = (length: number, seed: number, scale = 2): number[] =>
  Array.from({ length }, (_, i) => Math.fround((randomUniform(randomKey(seed, 'noise'), i) * 2 - 1) * scale));

/** A packed view of new memory, filled with values. */
export function place(
  device: Device,
  shape: readonly number[],
  values: ArrayLike<number>,
  type: 'float32' | 'int32' = 'float32',
): View {
  const buffer = device.allocate(type, values.length);
  const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));
  const view = { buffer, offset: 0, shape, strides };
  device.write(values, view);
  return view;
}
