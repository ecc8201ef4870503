import { SluiceError } from '../base/errors.js';

/** Bits of one element, in the order of the reference writer: files hold tensors by descending rank, then by name. */
export const safetensorsDtypes = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const satisfies Record<string, number>;

export type SafetensorsDtype = keyof typeof safetensorsDtypes;

export interface TensorInfo {
  readonly dtype: SafetensorsDtype;
  /** Sizes of the axes; empty for a scalar. */
  readonly shape: readonly number[];
  readonly byteLength: number;
}

/** Limits of what is read and written: the format's own header limit, the others ours. */
export const safetensorsLimits = {
  headerBytes: 100_000_000,
  tensors: 250_000,
  rank: 64,
  nameLength: 4096,
} as const;

/** A `format` error: the file breaks the rule. */
export const malformed = (rule: string, received?: unknown, remedy = 'Fetch or write the file anew.'): SluiceError =>
  new SluiceError('format', received === undefined ? { rule, remedy } : { rule, received, remedy });

export const isSafetensorsDtype = (text: string): text is SafetensorsDtype => Object.hasOwn(safetensorsDtypes, text);

/**
 * Refuses names that a later copy into a plain object, a file name or a terminal would trip over: empty ones, those of
 * Object.prototype, NUL, unpaired surrogates, more than 4,096 UTF-16 units. Throws `format`.
 */
export function checkTensorName(name: string): void {
  const remedy = 'Write it under another name, such as layers.0.weight.';
  if (name === '') throw malformed('the name of a tensor must not be empty', name, remedy);
  if (name in Object.prototype || name === 'prototype') {
    throw malformed('the name of a tensor must not be that of a property of every object', name, remedy);
  }
  if (name.length > safetensorsLimits.nameLength) {
    throw malformed(
      `the name of a tensor must not be longer than ${safetensorsLimits.nameLength} characters`,
      name,
      remedy,
    );
  }
  if (name.includes('\0') || /\p{Surrogate}/u.test(name)) {
    throw malformed('the name of a tensor must be Unicode text without NUL', name, remedy);
  }
}

/** The number of bytes of a tensor; sizes must be natural numbers. Throws `format` on overflow or half bytes. */
export function tensorByteLength(dtype: SafetensorsDtype, shape: readonly number[]): number {
  const most = Number.MAX_SAFE_INTEGER / 64;
  let elements = 1;
  for (const size of shape) {
    // Compared before multiplying: a product past 2^53 would round and could seem to fit.
    if (size > 0 && elements > most / size) throw malformed('the number of elements must not overflow', shape);
    elements *= size;
  }
  const bits = elements * safetensorsDtypes[dtype];
  if (bits % 8 !== 0) throw malformed(`a tensor of ${dtype} must fill whole bytes`, shape);
  return bits / 8;
}
