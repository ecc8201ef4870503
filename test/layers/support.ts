import { randomKey } from '../../src/base/random.js';
import type { Device } from '../../src/devices/device.js';
import { Initializer } from '../../src/layers/initialization.js';
import type { Layer, WeightReader } from '../../src/layers/layer.js';
import { randn, type Tensor } from '../../src/tensor/index.js';

/** Normal values that depend on the seed alone. */
export const normal = (device: Device, shape: readonly number[], seed = 1, deviation = 1): Tensor =>
  randn(device, shape, randomKey(seed, 'noise'), { deviation });

export const initializer = (device: Device, seed = 1): Initializer => new Initializer(device, seed);

/** Gives every parameter values of some size, norms and biases too, so that no gradient is 0 by symmetry. */
export function shake<L extends Layer>(layer: L, seed = 7, deviation = 0.4): L {
  layer.parameters().forEach((parameter, i) => {
    parameter.write(
      normal(parameter.device, parameter.shape, seed + i, deviation)
        .add(parameter.detach())
        .detach(),
    );
  });
  return layer;
}

export const valuesOf = async (tensor: Tensor): Promise<number[]> => Array.from(await tensor.toArray());

/** Weights in memory, as a file of them is read. */
export const readerOf = (
  weights: ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: ArrayLike<number> }>,
): WeightReader => ({
  names: () => [...weights.keys()],
  info: (name) => ({ shape: weights.get(name)?.shape ?? [] }),
  readFloat32: async (name) => weights.get(name)?.data ?? [],
});

/** Rows of a matrix in row-major order. */
export const rowsOf = (values: readonly number[], length: number): number[][] =>
  Array.from({ length: values.length / length }, (_, i) => values.slice(i * length, (i + 1) * length));
