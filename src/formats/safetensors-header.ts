import { didYouMean } from '../base/nearest.js';
import {
  checkTensorName,
  isSafetensorsDtype,
  malformed,
  type SafetensorsDtype,
  safetensorsDtypes,
  safetensorsLimits,
  type TensorInfo,
  tensorByteLength,
} from './safetensors-dtypes.js';
import { decodeUtf8, JsonScanner } from './safetensors-json.js';

/** A tensor and where its bytes begin, counted from the first byte of the file. */
export interface TensorLocation extends TensorInfo {
  readonly position: number;
}

export interface SafetensorsHeader {
  readonly metadata: ReadonlyMap<string, string>;
  /** In the order of their bytes. */
  readonly tensors: ReadonlyMap<string, TensorLocation>;
}

/** `version `, as the pointer begins that Git leaves where large files are not fetched. */
const gitPointer = 0x206e6f6973726576n;

interface Row {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/**
 * The length N of the JSON header, from the first 8 bytes of a file of `fileSize` bytes; the JSON is at 8 to 8 + N.
 * Throws `format` before anything is allocated for it.
 */
export function headerByteLength(prefix: Uint8Array, fileSize: number): number {
  if (fileSize < 8 || prefix.length < 8) {
    throw malformed('a safetensors file must begin with 8 bytes for the header length', `${fileSize} bytes`);
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  if (length === gitPointer) {
    const remedy = 'Get the file itself: git lfs pull, or sluice pull.';
    throw malformed('a safetensors file must not be the pointer of Git LFS to one', undefined, remedy);
  }
  if (length > safetensorsLimits.headerBytes) {
    throw malformed(`a safetensors header must not be longer than ${safetensorsLimits.headerBytes} bytes`, length);
  }
  if (length === 0n) throw malformed('a safetensors header must not be empty', length);
  if (Number(length) > fileSize - 8) {
    throw malformed('a safetensors header must fit in its file', `${length} of ${fileSize - 8} bytes`);
  }
  return Number(length);
}

/**
 * Reads the header of a safetensors file strictly. `bytes` are the file's first 8 + N bytes or more, `fileSize` its size.
 * Tensors must cover the data without hole or overlap and agree with dtype and shape. Throws `format`.
 * Source: the format section of the safetensors README.
 */
export function parseHeader(bytes: Uint8Array, fileSize: number): SafetensorsHeader {
  const length = headerByteLength(bytes, fileSize);
  if (bytes.length < 8 + length) throw malformed('a safetensors header must be complete', `${bytes.length} bytes`);
  const scanner = new JsonScanner(decodeUtf8(bytes.subarray(8, 8 + length), 'a safetensors header'));
  const metadata = new Map<string, string>();
  const rows: Row[] = [];
  scanner.object((name) => {
    if (name === '__metadata__') return readMetadata(scanner, metadata);
    checkTensorName(name);
    if (rows.length === safetensorsLimits.tensors) {
      throw malformed(`a safetensors file must not hold more than ${safetensorsLimits.tensors} tensors`);
    }
    rows.push(readRow(scanner, name));
  });
  scanner.end();
  return { metadata, tensors: locate(rows, 8 + length, fileSize) };
}

function readMetadata(scanner: JsonScanner, metadata: Map<string, string>): void {
  scanner.object((key) => {
    checkTensorName(key);
    metadata.set(key, scanner.string());
  });
}

function readRow(scanner: JsonScanner, name: string): Row {
  let dtype: SafetensorsDtype | undefined;
  const shape: number[] = [];
  const offsets: number[] = [];
  const seen = new Set<string>();
  scanner.object((key) => {
    seen.add(key);
    if (key === 'dtype') dtype = readDtype(scanner, name);
    else if (key === 'shape') readNaturals(scanner, shape, safetensorsLimits.rank, `the shape of ${name}`);
    else if (key === 'data_offsets') readNaturals(scanner, offsets, 2, `the data_offsets of ${name}`);
    else throw malformed(`tensor ${name} must have dtype, shape and data_offsets only`, key);
  });
  const [begin, end] = offsets;
  if (dtype === undefined || begin === undefined || end === undefined || !seen.has('shape')) {
    throw malformed(`tensor ${name} must have dtype, shape and two data_offsets`, [...seen]);
  }
  return { name, dtype, shape, begin, end };
}

function readDtype(scanner: JsonScanner, name: string): SafetensorsDtype {
  const text = scanner.string();
  if (isSafetensorsDtype(text)) return text;
  const dtypes = Object.keys(safetensorsDtypes);
  const remedy = didYouMean(text, dtypes, `They are: ${dtypes.join(', ')}.`);
  throw malformed(`the dtype of ${name} must be one of the format's`, text, remedy);
}

function readNaturals(scanner: JsonScanner, into: number[], most: number, what: string): void {
  scanner.array((index) => {
    if (index === most) throw malformed(`${what} must not have more than ${most} numbers`);
    into.push(scanner.natural());
  });
}

/** Each tensor must begin where the one before it ended, and the last must end with the file. */
function locate(rows: Row[], dataStart: number, fileSize: number): Map<string, TensorLocation> {
  rows.sort((a, b) => a.begin - b.begin || a.end - b.end);
  const tensors = new Map<string, TensorLocation>();
  let at = 0;
  for (const { name, dtype, shape, begin, end } of rows) {
    if (begin !== at) throw malformed(`tensor ${name} must begin where the one before it ends (${at})`, begin);
    const byteLength = tensorByteLength(dtype, shape);
    if (end - begin !== byteLength) {
      throw malformed(`tensor ${name} of ${dtype} [${shape.join(', ')}] must have ${byteLength} bytes`, end - begin);
    }
    tensors.set(name, { dtype, shape, byteLength, position: dataStart + begin });
    at = end;
  }
  if (dataStart + at !== fileSize) {
    throw malformed(
      'the tensors of a safetensors file must end where the file ends',
      `${dataStart + at} of ${fileSize}`,
    );
  }
  return tensors;
}
