import { SluiceError } from '../base/errors.js';
import { readFully } from './durable.js';
import { type FileSystem, nodeFileSystem, type OpenFile, openRegularFile, underRule } from './file-system.js';
import { locationOf, publicInfo } from './safetensors.js';
import { malformed, safetensorsDtypes, type TensorInfo } from './safetensors-dtypes.js';
import { headerByteLength, parseHeader, type SafetensorsHeader, type TensorLocation } from './safetensors-header.js';
import { allocate, float32Decoder, pieceDecoder, type TensorValues, typedValues } from './safetensors-values.js';

/** What one file and a set of shards have in common. */
export interface TensorReader {
  readonly metadata: ReadonlyMap<string, string>;
  /** The names in the order of their bytes. */
  names(): string[];
  /** Throws `name` for a tensor that is not there. */
  info(name: string): TensorInfo;
  /** The bytes of a tensor, aligned for every typed array. Throws `format` when the file has changed since. */
  read(name: string): Promise<Uint8Array>;
  /** F32, F16 and BF16 exactly, F64 rounded. Throws `format` for another dtype. */
  readFloat32(name: string): Promise<Float32Array>;
  /** The same values a few megabytes at a time, each piece good until the next. Throws as `readFloat32` does. */
  float32Pieces(name: string): AsyncIterable<Float32Array>;
  /** The values as they are, integers included: 64-bit ones as bigints, booleans as 0 and 1. Throws `format` for F16, BF16 and narrower floats. */
  readValues(name: string): Promise<TensorValues>;
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A multiple of every element's width. */
const pieceBytes = 4 * 2 ** 20;

/** A safetensors file read by position: only the header is held, and the file may be larger than memory. */
export class SafetensorsFile implements TensorReader {
  readonly path: string;
  readonly #file: OpenFile;
  readonly #header: SafetensorsHeader;
  readonly #opened: Stamp;

  private constructor(path: string, file: OpenFile, header: SafetensorsHeader, opened: Stamp) {
    this.path = path;
    this.#file = file;
    this.#header = header;
    this.#opened = opened;
  }

  /** Reads the header strictly. Throws `filesystem`, or `format` for a malformed file, a folder, a pipe or a device. */
  static async open(path: string, { fs = nodeFileSystem }: { fs?: FileSystem } = {}): Promise<SafetensorsFile> {
    const file = await underRule(`${path} must be readable`, () => openRegularFile(fs, path));
    try {
      return await named(path, async () => {
        const { size, mtimeMs } = await file.stat();
        return new SafetensorsFile(path, file, await readHeader(file, size), { size, mtimeMs });
      });
    } catch (error) {
      await file.close().catch(() => undefined);
      throw error;
    }
  }

  get metadata(): ReadonlyMap<string, string> {
    return this.#header.metadata;
  }

  names(): string[] {
    return [...this.#header.tensors.keys()];
  }

  info(name: string): TensorInfo {
    return publicInfo(locationOf(this.#header, name));
  }

  async read(name: string): Promise<Uint8Array> {
    const location = locationOf(this.#header, name);
    const bytes = allocate(name, () => new Uint8Array(location.byteLength));
    await this.#fill(bytes, location.position);
    return bytes;
  }

  async readFloat32(name: string): Promise<Float32Array> {
    const location = locationOf(this.#header, name);
    const decoder = float32Decoder(location.dtype, location.byteLength, name);
    if (location.dtype === 'F32') {
      const { buffer, byteOffset, byteLength } = decoder.values;
      await this.#fill(new Uint8Array(buffer, byteOffset, byteLength), location.position);
    } else {
      await this.#decode(location, (piece) => decoder.add(piece));
    }
    return decoder.values;
  }

  async *float32Pieces(name: string): AsyncGenerator<Float32Array> {
    const { dtype, byteLength, position } = locationOf(this.#header, name);
    const decode = pieceDecoder(dtype, name);
    const width = safetensorsDtypes[dtype] / 8;
    const raw = new Uint8Array(Math.min(pieceBytes, byteLength));
    const values = dtype === 'F32' ? new Float32Array(raw.buffer) : new Float32Array(raw.length / width);
    for (let at = 0; at < byteLength; at += raw.length) {
      const part = raw.subarray(0, Math.min(raw.length, byteLength - at));
      await this.#fill(part, position + at);
      if (dtype !== 'F32') decode(part, values);
      yield values.subarray(0, part.length / width);
    }
  }

  async readValues(name: string): Promise<TensorValues> {
    return typedValues(this.info(name).dtype, await this.read(name), name);
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #decode({ position, byteLength }: TensorLocation, add: (piece: Uint8Array) => void): Promise<void> {
    const piece = new Uint8Array(Math.min(pieceBytes, byteLength));
    for (let at = 0; at < byteLength; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, byteLength - at));
      await this.#fill(part, position + at);
      add(part);
    }
  }

  async #fill(target: Uint8Array, position: number): Promise<void> {
    await named(this.path, async () => {
      const { size, mtimeMs } = await this.#file.stat();
      const changed = size !== this.#opened.size || mtimeMs !== this.#opened.mtimeMs;
      if (changed || (await readFully(this.#file, target, position)) < target.length) {
        throw malformed('a safetensors file must not change while it is open', `${size} of ${this.#opened.size} bytes`);
      }
    });
  }
}

interface Stamp {
  readonly size: number;
  readonly mtimeMs: number;
}

async function readHeader(file: OpenFile, size: number): Promise<SafetensorsHeader> {
  const prefix = new Uint8Array(8);
  const length = headerByteLength(prefix.subarray(0, await readFully(file, prefix, 0)), size);
  const bytes = new Uint8Array(8 + length);
  return parseHeader(bytes.subarray(0, await readFully(file, bytes, 0)), size);
}

/** Puts the path into a `format` error, which speaks of the bytes only, and explains failed system calls. */
async function named<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await underRule(`${path} must be readable`, action);
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'format') throw error;
    const { rule, received, remedy = 'Fetch or write the file anew.' } = error;
    throw new SluiceError('format', { rule: `${path}: ${rule}`, received, remedy, cause: error });
  }
}
