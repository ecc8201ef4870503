import { afterAll } from 'vitest';
import type { Device, View } from '../../src/devices/device.js';
import { openNative } from '../../src/devices/native/device.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { mapKernel } from '../../src/kernels/kernel.js';
import type { Expression } from '../../src/scalar/expression.js';
import { interpreter } from '../../src/scalar/interpret.js';
import { expand } from '../../src/scalar/lower.js';
import { hasCompiler } from './devices.js';

/** Evaluates expressions in some variables at many points: a float32 result for each output and point. */
export type Evaluate = (
  outputs: readonly Expression[],
  variables: readonly string[],
  points: readonly (readonly number[])[],
) => Promise<number[][]>;

const interpreted =
  (lower: (expression: Expression) => Expression): Evaluate =>
  async (outputs, variables, points) => {
    const evaluate = interpreter(outputs.map(lower), variables);
    return points.map((point) => evaluate(point).map(Math.fround));
  };

export function vectorView(device: Device, values: readonly number[]): View {
  const view = { buffer: device.allocate('float32', values.length), offset: 0, shape: [values.length], strides: [1] };
  device.write(values, view);
  return view;
}

/** By a map kernel of the device, over contiguous vectors. */
export const mapped =
  (device: Device): Evaluate =>
  async (outputs, variables, points) => {
    const inputs = variables.map((_, i) =>
      vectorView(
        device,
        points.map((point) => point[i] ?? Number.NaN),
      ),
    );
    const results = outputs.map(() =>
      vectorView(
        device,
        points.map(() => 0),
      ),
    );
    device.map(mapKernel({ inputs: variables, scalars: [], outputs }), inputs, [], results);
    const columns = await Promise.all(results.map((view) => device.read(view)));
    for (const { buffer } of [...inputs, ...results]) device.free(buffer);
    return points.map((_, i) => columns.map((column) => column[i] ?? Number.NaN));
  };

/** Every way to evaluate an expression that must hold the accuracy contract. */
export async function evaluators(): Promise<Record<string, Evaluate>> {
  const fused = await openWasm({ threads: 1 });
  const unfused = await openWasm({ threads: 1, deterministic: true });
  const native = hasCompiler ? await openNative({ threads: 1 }) : undefined;
  afterAll(async () => {
    await native?.close();
    await fused.close();
    await unfused.close();
  });
  return {
    interpreter: interpreted((expression) => expression),
    'lane expansions': interpreted((expression) => expand(expression)),
    [fused.description]: mapped(fused),
    'wasm, deterministic': mapped(unfused),
    ...(native === undefined ? {} : { native: mapped(native) }),
  };
}
