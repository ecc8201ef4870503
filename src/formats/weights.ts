import type { Layer } from '../layers/layer.js';
import type { Tensor } from '../tensor/index.js';
import { encodeFloats, type WeightDtype, weightDtypes } from './float-encodings.js';
import { encodeSafetensors, type SafetensorsEntry } from './safetensors-write.js';

/** A tensor to write under a name; its values are read when its turn comes. */
export const tensorEntry = (name: string, tensor: Tensor, dtype: WeightDtype = 'float32'): SafetensorsEntry => ({
  name,
  dtype: weightDtypes[dtype],
  shape: tensor.shape,
  bytes: async () => {
    const values = await tensor.toArray();
    return encodeFloats(values instanceof Float32Array ? values : Float32Array.from(values), dtype);
  },
});

/** The weights under Hugging Face's names, and the constants that it keeps beside them. */
export const weightEntries = (layer: Layer, dtype: WeightDtype = 'float32'): SafetensorsEntry[] => [
  ...layer.namedParameters().map(({ name, tensor }) => tensorEntry(name, tensor, dtype)),
  ...Array.from(layer.namedConstants(), ([name, value]) => constantEntry(name, value, dtype)),
];

const constantEntry = (name: string, value: number, dtype: WeightDtype): SafetensorsEntry => ({
  name,
  dtype: weightDtypes[dtype],
  shape: [],
  bytes: () => encodeFloats(Float32Array.of(value), dtype),
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
