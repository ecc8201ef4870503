import type { Layer } from '../layers/layer.js';
import { encodeSafetensors, float32Entry, type SafetensorsEntry } from './safetensors-write.js';

/** A layer's parameters as a safetensors file in memory, under the names that `Layer.load` and Hugging Face read. */
export async function encodeWeights(layer: Layer): Promise<Uint8Array> {
  const entries: SafetensorsEntry<Uint8Array>[] = [];
  for (const { name, tensor } of layer.namedParameters()) {
    entries.push(float32Entry(name, tensor.shape, Float32Array.from(await tensor.toArray())));
  }
  return encodeSafetensors(entries);
}
