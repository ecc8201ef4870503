import type { SafetensorsDtype } from './safetensors-dtypes.js';

/** How weights can be written: their names in config.json, and in a file of safetensors. */
export const weightDtypes = { float32: 'F32', bfloat16: 'BF16', float16: 'F16' } as const satisfies Record<
  string,
  SafetensorsDtype
>;

export type WeightDtype = keyof typeof weightDtypes;

/** Values in bytes of a dtype, little-endian; halves are rounded to nearest, ties to even, as PyTorch rounds them. */
export function encodeFloats(values: Float32Array, dtype: WeightDtype): Uint8Array {
  if (dtype === 'float32') return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const round = dtype === 'bfloat16' ? bfloat16 : float16;
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) halves[i] = round(bits[i] ?? 0);
  return new Uint8Array(halves.buffer);
}

/** The bits of a float32 as those of a bfloat16. */
function bfloat16(bits: number): number {
  // Rounding up could make a NaN's last bits an infinity.
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** The bits of a float32 as those of a float16. */
function float16(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > 0x7f800000) return sign | 0x7e00;
  // From halfway between the largest half and the next power on.
  if (size >= 0x477ff000) return sign | 0x7c00;
  if (size < 0x38800000) return sign | subnormal(size);
  const rounded = size + 0xfff + ((size >>> 13) & 1);
  return sign | ((rounded - 0x38000000) >>> 13);
}

/** Multiples of 2^-24. */
function subnormal(size: number): number {
  const shift = 126 - (size >>> 23);
  if (shift > 24) return 0;
  const fraction = (size & 0x7fffff) | 0x800000;
  const floor = fraction >>> shift;
  const rest = fraction & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (floor & 1) === 1) ? floor + 1 : floor;
}
