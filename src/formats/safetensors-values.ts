import { SluiceError } from '../base/errors.js';
import { malformed, type SafetensorsDtype, safetensorsDtypes } from './safetensors-dtypes.js';

/** Writes the values of little-endian `bytes` into `target` from `start` on. */
type Decoder = (bytes: Uint8Array, target: Float32Array, start: number) => void;

const decoders: Partial<Record<SafetensorsDtype, Decoder>> = {
  F32: (bytes, target, start) => {
    new Uint8Array(target.buffer, target.byteOffset + 4 * start, bytes.length).set(bytes);
  },
  BF16: (bytes, target, start) => {
    const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
    const words = halves(bytes);
    for (let i = 0; i < words.length; i++) bits[start + i] = (words[i] ?? 0) << 16;
  },
  F16: (bytes, target, start) => {
    const bits = new Uint32Array(target.buffer, target.byteOffset, target.length);
    const words = halves(bytes);
    for (let i = 0; i < words.length; i++) {
      const word = words[i] ?? 0;
      const exponent = (word >>> 10) & 31;
      const fraction = word & 1023;
      const sign = (word & 0x8000) << 16;
      // Subnormal halves are normal in float32, so their exponent cannot just be moved.
      if (exponent === 0) target[start + i] = (sign < 0 ? -1 : 1) * fraction * 2 ** -24;
      else bits[start + i] = sign | ((exponent === 31 ? 255 : exponent + 112) << 23) | (fraction << 13);
    }
  },
  F64: (bytes, target, start) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let i = 0; i < bytes.length / 8; i++) target[start + i] = view.getFloat64(8 * i, true);
  },
};

/** A view where the bytes are aligned, which pieces of files are; else a copy. */
function halves(bytes: Uint8Array): Uint16Array {
  const { buffer, byteOffset } = bytes.byteOffset % 2 === 0 ? bytes : bytes.slice();
  return new Uint16Array(buffer, byteOffset, bytes.length / 2);
}

/** The decoder of a floating-point dtype. Throws `format` for a dtype whose values are not float32 by nature. */
function decoderOf(dtype: SafetensorsDtype, name: string): Decoder {
  const decoder = decoders[dtype];
  if (decoder !== undefined) return decoder;
  const rule = `tensor ${name} must be of ${Object.keys(decoders).join(', ')} to be read as float32`;
  throw malformed(rule, dtype, 'Read its bytes instead, or convert the tensor.');
}

/**
 * The values of a tensor as float32: F16 and BF16 widened exactly, F64 rounded to nearest.
 * `pieces` give its bytes in order, each a whole number of elements. Throws `format` for another dtype.
 */
export function float32Decoder(
  dtype: SafetensorsDtype,
  byteLength: number,
  name: string,
): { readonly values: Float32Array; add(piece: Uint8Array): void } {
  const decode = decoderOf(dtype, name);
  const width = safetensorsDtypes[dtype] / 8;
  const values = allocate(name, () => new Float32Array(byteLength / width));
  let count = 0;
  return {
    values,
    add(piece) {
      decode(piece, values, count);
      count += piece.length / width;
    },
  };
}

/**
 * Writes pieces of a tensor, each a whole number of elements, as float32 into the beginning of `target`.
 * Throws `format` for a dtype whose values are not float32 by nature.
 */
export function pieceDecoder(dtype: SafetensorsDtype, name: string): (piece: Uint8Array, target: Float32Array) => void {
  const decode = decoderOf(dtype, name);
  return (piece, target) => decode(piece, target, 0);
}

const arrayTypes = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  I16: Int16Array,
  U16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  F32: Float32Array,
  F64: Float64Array,
} as const satisfies Partial<Record<SafetensorsDtype, unknown>>;

/** What a tensor's values are in JavaScript. */
export type TensorValues = InstanceType<(typeof arrayTypes)[keyof typeof arrayTypes]>;

/**
 * The values as the typed array of their dtype; 64-bit integers are bigints, booleans 0 or 1. `bytes` are aligned.
 * Throws `format` for a dtype that JavaScript has no array for.
 */
export function typedValues(dtype: SafetensorsDtype, bytes: Uint8Array, name: string): TensorValues {
  if (!(dtype in arrayTypes)) {
    const rule = `tensor ${name} must be of ${Object.keys(arrayTypes).join(', ')} to be read as it is`;
    throw malformed(rule, dtype, 'Read F16 and BF16 as float32, and others as bytes.');
  }
  const Values = arrayTypes[dtype as keyof typeof arrayTypes];
  return new Values(bytes.buffer as ArrayBuffer, bytes.byteOffset, bytes.byteLength / Values.BYTES_PER_ELEMENT);
}

/** Allocates for a tensor; an engine's refusal becomes a `memory` error. */
export function allocate<T>(name: string, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    const rule = `tensor ${name} must fit in one array of this engine`;
    throw new SluiceError('memory', { rule, remedy: 'Read it in ranges instead.', cause });
  }
}
