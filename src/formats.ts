/** `sluice/formats`: weights and configurations as other systems write them, in memory. */
export { decodeConfig, encodeConfig } from './formats/hugging-face/config.js';
export { encodeGenerationConfig } from './formats/hugging-face/generation-config.js';
export { parseSafetensors, SafetensorsBuffer } from './formats/safetensors.js';
export type { SafetensorsDtype, TensorInfo } from './formats/safetensors-dtypes.js';
export {
  encodeSafetensors,
  float32Entry,
  type SafetensorsEntry,
  type SafetensorsMetadata,
} from './formats/safetensors-write.js';
export { encodeWeights } from './formats/weights.js';
