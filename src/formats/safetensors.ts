import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { TensorInfo } from './safetensors-dtypes.js';
import { parseHeader, type SafetensorsHeader, type TensorLocation } from './safetensors-header.js';
import { allocate, float32Decoder } from './safetensors-values.js';

/** A safetensors file in memory. Nothing here needs Node. */
export class SafetensorsBuffer {
  readonly #bytes: Uint8Array;
  readonly #header: SafetensorsHeader;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#header = parseHeader(bytes, bytes.length);
  }

  get metadata(): ReadonlyMap<string, string> {
    return this.#header.metadata;
  }

  /** The names in the order of their bytes. */
  names(): string[] {
    return [...this.#header.tensors.keys()];
  }

  /** Throws `name` for a tensor that is not there. */
  info(name: string): TensorInfo {
    return publicInfo(locationOf(this.#header, name));
  }

  /** A copy of the bytes, so that it is aligned for every typed array. */
  read(name: string): Uint8Array {
    return allocate(name, () => this.#view(locationOf(this.#header, name)).slice());
  }

  /** F32, F16 and BF16 exactly, F64 rounded. Throws `format` for another dtype. */
  readFloat32(name: string): Float32Array {
    const location = locationOf(this.#header, name);
    const decoder = float32Decoder(location.dtype, location.byteLength, name);
    decoder.add(this.#view(location));
    return decoder.values;
  }

  #view({ position, byteLength }: TensorLocation): Uint8Array {
    return this.#bytes.subarray(position, position + byteLength);
  }
}

/** Reads a safetensors file held in memory, strictly. Throws `format`. */
export const parseSafetensors = (bytes: Uint8Array): SafetensorsBuffer => new SafetensorsBuffer(bytes);

/** Where a tensor is. Throws `name` with the nearest name. */
export function locationOf(header: SafetensorsHeader, name: string): TensorLocation {
  const location = header.tensors.get(name);
  if (location === undefined) throw unknownTensor(name, header.tensors.keys());
  return location;
}

export const unknownTensor = (name: string, names: Iterable<string>): SluiceError =>
  new SluiceError('name', {
    rule: 'a tensor must be in its file',
    received: name,
    remedy: didYouMean(name, names, 'names() lists them all.'),
  });

export const publicInfo = ({ dtype, shape, byteLength }: TensorLocation): TensorInfo => ({ dtype, shape, byteLength });
