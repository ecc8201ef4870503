import type { Layer } from '../layers/layer.js';
import type { Tensor } from '../tensor/index.js';
import { encodeSafetensors, type SafetensorsEntry } from './safetensors-write.js';

/** A tensor to write under a name; its values are read when its turn comes. */
export const tensorEntry = (name: string, tensor: Tensor): SafetensorsEntry => ({
  name,
  dtype: 'F32',
  shape: tensor.shape,
  bytes: async () => {
    const values = Float32Array.from(await tensor.toArray());
    return new Uint8Array(values.buffer);
  },
});

/** The weights under Hugging Face's names, and the constants that it keeps beside them. */
export const weightEntries = (layer: Layer): SafetensorsEntry[] => [
  ...layer.namedParameters().map(({ name, tensor }) => tensorEntry(name, tensor)),
  ...Array.from(layer.namedConstants(), ([name, value]) => constantEntry(name, value)),
];

const constantEntry = (name: string, value: number): SafetensorsEntry => ({
  name,
  dtype: 'F32',
  shape: [],
  bytes: () => new Uint8Array(Float32Array.of(value).buffer),
});

/** A layer's weights as a safetensors file in memory, under the names that `Layer.load` and Hugging Face read. */
export async function encodeWeights(layer: Layer): Promise<Uint8Array> {
  const entries: SafetensorsEntry<Uint8Array>[] = [];
  for (const entry of weightEntries(layer)) {
    const bytes = await entry.bytes();
    entries.push({ ...entry, bytes: () => bytes });
  }
  return encodeSafetensors(entries);
}
