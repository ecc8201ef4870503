import { createHash } from 'node:crypto';
import { SluiceError } from '../base/errors.js';
import type { FileDigest } from '../formats/durable.js';
import { decodeJson, encodeJson } from '../formats/json-values.js';
import { decodeUtf8 } from '../formats/safetensors-json.js';

export const manifestName = 'manifest.json';
const formatName = 'sluice-checkpoint';
/** Raised when an older Sluice could not read what is written. */
const formatVersion = 1;

export interface ManifestFile extends FileDigest {
  readonly name: string;
}

/** What a checkpoint folder holds; written last, so that its presence says that all the rest is there. */
export interface Manifest {
  readonly version: number;
  readonly step: number;
  readonly files: readonly ManifestFile[];
  /** Where it was made: device, engine, threads, versions. A resumed run compares it. */
  readonly environment: unknown;
}

/** A `checkpoint` error about a folder. */
export const unusable = (folder: string, rule: string, received: unknown, cause?: unknown): SluiceError =>
  new SluiceError('checkpoint', {
    rule: `checkpoint ${folder}: ${rule}`,
    received,
    remedy: 'Use an older checkpoint of the run.',
    cause,
  });

/** A name that is a plain file on every system and no file of our own. Throws `argument`. */
export function checkPartNames(names: readonly string[]): void {
  const seen = new Set<string>([manifestName]);
  for (const name of names) {
    // Compared without case: macOS and Windows would write two such parts into one file.
    if (!isPartName(name) || seen.has(name.toLowerCase())) {
      throw new SluiceError('argument', {
        rule: 'the parts of a checkpoint must have different plain file names',
        received: name,
        remedy: 'Use letters, digits, points, dashes and underscores.',
      });
    }
    seen.add(name.toLowerCase());
  }
}

const isPartName = (name: string): boolean => /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}$/.test(name);

/** The text of a manifest, with the sha256 of its own content, so that no flipped bit in it goes unseen. */
export function encodeManifest(step: number, files: readonly ManifestFile[], environment: unknown): string {
  const body = { format: formatName, version: formatVersion, step, files, environment };
  return encodeJson({ ...body, sha256: contentHash(body) }, 2);
}

const contentHash = (body: object): string => createHash('sha256').update(encodeJson(body)).digest('hex');

/** Reads a manifest strictly. Throws `checkpoint` with the folder's name. */
export function decodeManifest(bytes: Uint8Array, folder: string): Manifest {
  const { text, record } = parse(bytes, folder);
  const { format, version, step, files, environment, sha256 } = record;
  if (format !== formatName) throw unusable(folder, `its manifest must be of format ${formatName}`, format);
  if (version !== formatVersion) {
    const rule = `its manifest must be of version ${formatVersion}; a newer Sluice may have written it`;
    throw unusable(folder, rule, version);
  }
  // Compared as text as well: a flipped blank or an added key must not pass.
  const body = { format, version, step, files, environment };
  if (sha256 !== contentHash(body) || text !== encodeJson({ ...body, sha256 }, 2)) {
    throw unusable(folder, 'its manifest must be unchanged since it was written', sha256);
  }
  if (!isStep(step) || !Array.isArray(files) || !files.every(isManifestFile)) {
    throw unusable(folder, 'its manifest must hold a step and files with size and sha256', { step, files });
  }
  return { version, step, files, environment };
}

function parse(bytes: Uint8Array, folder: string): { text: string; record: Readonly<Record<string, unknown>> } {
  try {
    const text = decodeUtf8(bytes, 'a manifest');
    const value = decodeJson(text);
    if (isRecord(value)) return { text, record: value };
  } catch (cause) {
    throw unusable(folder, 'its manifest must be well-formed JSON', `${bytes.length} bytes`, cause);
  }
  throw unusable(folder, 'its manifest must be a JSON object', `${bytes.length} bytes`);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const isStep = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

function isManifestFile(value: unknown): value is ManifestFile {
  if (!isRecord(value)) return false;
  const { name, size, sha256 } = value;
  return typeof name === 'string' && isPartName(name) && isStep(size) && typeof sha256 === 'string';
}
