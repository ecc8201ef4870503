import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { ByteSink } from './file-system.js';
import {
  checkTensorName,
  isSafetensorsDtype,
  malformed,
  type SafetensorsDtype,
  safetensorsDtypes,
  safetensorsLimits,
  tensorByteLength,
} from './safetensors-dtypes.js';

/** A tensor to write. `bytes` is called when its turn comes, so that one tensor is in memory at a time. */
export interface SafetensorsEntry<Bytes = Uint8Array | Promise<Uint8Array>> {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** The values in row-major order, little-endian. */
  bytes(): Bytes;
}

export type SafetensorsMetadata = Readonly<Record<string, string>>;

interface Layout<Entry> {
  readonly header: Uint8Array;
  readonly ordered: readonly Entry[];
  readonly byteLength: number;
}

/** The data begins at a multiple of this, so that a mapped file can be viewed without a copy. */
const alignment = 64;

/** A float32 tensor as an entry; the values are read when its turn comes. */
export const float32Entry = (
  name: string,
  shape: readonly number[],
  values: Float32Array,
): SafetensorsEntry<Uint8Array> => ({
  name,
  dtype: 'F32',
  shape,
  bytes: () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
});

/** The size in bytes of the file that these entries make. Throws as {@link writeSafetensors} does. */
export const safetensorsByteLength = (entries: readonly SafetensorsEntry[], metadata?: SafetensorsMetadata): number =>
  layout(entries, metadata).byteLength;

/**
 * Writes a safetensors file into a sink: tensors by descending dtype, then name, as the reference writer orders them.
 * The metadata always names the format `pt`, which older readers require. Throws `shape` when bytes do not fit a shape,
 * `name` for a repeated name, `format` for a name or size that no file may have.
 */
export async function writeSafetensors(
  sink: ByteSink,
  entries: readonly SafetensorsEntry[],
  metadata?: SafetensorsMetadata,
): Promise<void> {
  const { header, ordered } = layout(entries, metadata);
  await sink.write(header);
  for (const entry of ordered) await sink.write(checkedBytes(entry, await entry.bytes()));
}

/** The whole file in memory; see {@link writeSafetensors}. */
export function encodeSafetensors(
  entries: readonly SafetensorsEntry<Uint8Array>[],
  metadata?: SafetensorsMetadata,
): Uint8Array {
  const { header, ordered, byteLength } = layout(entries, metadata);
  const file = new Uint8Array(byteLength);
  file.set(header);
  let at = header.length;
  for (const entry of ordered) {
    const bytes = checkedBytes(entry, entry.bytes());
    file.set(bytes, at);
    at += bytes.length;
  }
  return file;
}

function checkedBytes(entry: SafetensorsEntry, bytes: Uint8Array): Uint8Array {
  const expected = tensorByteLength(entry.dtype, entry.shape);
  if (bytes.length === expected) return bytes;
  const rule = `tensor ${entry.name} of ${entry.dtype} [${entry.shape.join(', ')}] must have ${expected} bytes`;
  throw new SluiceError('shape', {
    rule,
    received: bytes.length,
    remedy: 'Correct the shape or the dtype, or give the bytes of all elements.',
  });
}

function layout<Entry extends SafetensorsEntry>(
  entries: readonly Entry[],
  metadata: SafetensorsMetadata = {},
): Layout<Entry> {
  checkEntries(entries);
  const rank = new Map(Object.keys(safetensorsDtypes).map((dtype, index) => [dtype, index]));
  const rankOf = (entry: Entry): number => rank.get(entry.dtype) ?? 0;
  const ordered = [...entries].sort((a, b) => rankOf(b) - rankOf(a) || compareCodePoints(a.name, b.name));
  const members = [`"__metadata__":${JSON.stringify(checkedMetadata(metadata))}`];
  let at = 0;
  for (const { name, dtype, shape } of ordered) {
    const end = at + tensorByteLength(dtype, shape);
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [at, end] })}`);
    at = end;
  }
  const header = headerBytes(`{${members.join(',')}}`);
  return { header, ordered, byteLength: header.length + at };
}

/** Read back by the same rules: what the reader would refuse is not written. */
function checkedMetadata(metadata: SafetensorsMetadata): SafetensorsMetadata {
  for (const [key, value] of Object.entries(metadata)) {
    checkTensorName(key);
    if (typeof value !== 'string' || /\p{Surrogate}/u.test(value)) {
      throw malformed(
        `the metadata ${key} must be Unicode text`,
        value,
        'Write other values as text, for example as JSON.',
      );
    }
  }
  return { format: 'pt', ...metadata };
}

/** The length, the JSON, and spaces up to the alignment. */
function headerBytes(json: string): Uint8Array {
  const text = new TextEncoder().encode(json);
  const header = new Uint8Array(Math.ceil((8 + text.length) / alignment) * alignment).fill(0x20);
  if (header.length - 8 > safetensorsLimits.headerBytes) {
    const rule = `a safetensors header must not be longer than ${safetensorsLimits.headerBytes} bytes`;
    throw new SluiceError('format', { rule, received: header.length - 8, remedy: 'Write several files.' });
  }
  new DataView(header.buffer).setBigUint64(0, BigInt(header.length - 8), true);
  header.set(text, 8);
  return header;
}

function checkEntries(entries: readonly SafetensorsEntry[]): void {
  const names = new Set<string>();
  if (entries.length > safetensorsLimits.tensors) {
    const rule = `a safetensors file must not hold more than ${safetensorsLimits.tensors} tensors`;
    throw new SluiceError('format', { rule, received: entries.length, remedy: 'Write several files.' });
  }
  for (const { name, dtype, shape } of entries) {
    checkTensorName(name);
    if (name === '__metadata__' || names.has(name)) {
      throw new SluiceError('name', {
        rule: 'the tensors of a file must have different names',
        received: name,
        remedy: "Give it another name; __metadata__ is the format's own.",
      });
    }
    names.add(name);
    if (!isSafetensorsDtype(dtype)) {
      const dtypes = Object.keys(safetensorsDtypes);
      throw new SluiceError('name', {
        rule: `the dtype of ${name} must be one of the format's`,
        received: dtype,
        remedy: didYouMean(String(dtype), dtypes, `They are: ${dtypes.join(', ')}.`),
      });
    }
    if (shape.length > safetensorsLimits.rank || !shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      const rule = `the shape of ${name} must be at most ${safetensorsLimits.rank} natural numbers`;
      throw new SluiceError('shape', { rule, received: shape, remedy: 'Reshape it to fewer axes, of whole sizes.' });
    }
  }
}

/** The order of UTF-8 bytes; that of UTF-16 units differs past the basic plane. */
function compareCodePoints(a: string, b: string): number {
  for (let at = 0; at < a.length && at < b.length; at++) {
    const difference = (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}
