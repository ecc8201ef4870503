import { MapLauncher } from '../../src/devices/native/maps.js';
import { NativeBuffer, type NativeRuntime } from '../../src/devices/native/runtime.js';
import { mapKernel } from '../../src/kernels/kernel.js';
import type { Evaluate } from './evaluators.js';

/** By map kernels in C, over contiguous vectors. */
export function compiled(runtime: NativeRuntime): Evaluate {
  const maps = new MapLauncher(runtime);
  return async (outputs, variables, points) => {
    const bytes = 4 * points.length;
    const vector = () => {
      const buffer = new NativeBuffer('float32', points.length, runtime.arena.allocate(bytes));
      return { buffer, offset: 0, shape: [points.length], strides: [1] };
    };
    const inputs = variables.map((_, i) => {
      const view = vector();
      const values = Float32Array.from(points, (point) => point[i] ?? Number.NaN);
      runtime.inTurn(() => runtime.library.copyIn(view.buffer.address, values, bytes));
      return view;
    });
    const results = outputs.map(vector);
    maps.run(mapKernel({ inputs: variables, scalars: [], outputs }), inputs, [], results);
    await runtime.settled();
    const columns = results.map(({ buffer }) => {
      const values = new Float32Array(points.length);
      runtime.library.copyOut(values, buffer.address, bytes);
      return values;
    });
    for (const { buffer } of [...inputs, ...results]) runtime.arena.free(buffer.address);
    return points.map((_, i) => columns.map((column) => column[i] ?? Number.NaN));
  };
}
