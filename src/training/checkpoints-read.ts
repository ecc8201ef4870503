import { basename, join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { digestFile, readSmallFile } from '../formats/durable.js';
import { asFileSystemError, type FileSystem, nodeFileSystem, systemErrorCode } from '../formats/file-system.js';
import { decodeJson } from '../formats/json-values.js';
import { SafetensorsFile } from '../formats/safetensors-file.js';
import { type CheckpointFolder, checkpointFolders, parseCheckpointName } from './checkpoints-folders.js';
import { decodeManifest, type Manifest, type ManifestFile, manifestName, unusable } from './checkpoints-manifest.js';

export interface OpenCheckpointOptions {
  /** `size` compares the sizes of the files with the manifest, `hash` (the default) their sha256 as well. */
  readonly verify?: 'size' | 'hash';
  readonly fs?: FileSystem;
}

/** A checkpoint folder whose files agree with its manifest. */
export class Checkpoint {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly #fs: FileSystem;

  constructor(folder: string, manifest: Manifest, fs: FileSystem) {
    this.folder = folder;
    this.manifest = manifest;
    this.#fs = fs;
  }

  get step(): number {
    return this.manifest.step;
  }

  /** Where it was made, as the writer recorded it. */
  get environment(): unknown {
    return this.manifest.environment;
  }

  names(): string[] {
    return this.manifest.files.map(({ name }) => name);
  }

  /** The path of a part. Throws `name`. */
  path(name: string): string {
    return join(this.folder, this.#part(name).name);
  }

  /** A part written by {@link jsonPart}; its sha256 is always compared. Throws `checkpoint`. */
  async readJson(name: string): Promise<unknown> {
    const part = this.#part(name);
    return guarded(this.folder, async () => {
      await compareDigest(this.#fs, this.folder, part);
      const bytes = await readSmallFile(this.#fs, join(this.folder, name), part.size);
      return decodeJson(new TextDecoder().decode(bytes));
    });
  }

  /** A part written by {@link tensorsPart}, to be closed by the caller. Throws `format` or `filesystem`. */
  openTensors(name: string): Promise<SafetensorsFile> {
    return SafetensorsFile.open(this.path(name), { fs: this.#fs });
  }

  #part(name: string): ManifestFile {
    const part = this.manifest.files.find((file) => file.name === name);
    if (part !== undefined) return part;
    const remedy = didYouMean(name, this.names(), `It has ${this.names().join(', ')}.`);
    throw new SluiceError('name', { rule: `a part must be in checkpoint ${this.folder}`, received: name, remedy });
  }
}

/**
 * Opens one checkpoint folder, wherever it is. Throws `checkpoint` when it is truncated, changed, incomplete, of another
 * program or of another step than its name says; `filesystem` when it cannot be read for reasons of the machine.
 */
export async function openCheckpoint(
  folder: string,
  { verify = 'hash', fs = nodeFileSystem }: OpenCheckpointOptions = {},
): Promise<Checkpoint> {
  const manifest = await readManifest(fs, folder);
  return guarded(folder, async () => {
    for (const file of manifest.files) {
      const status = await fs.stat(join(folder, file.name));
      if (!status.isFile() || status.size !== file.size) {
        throw unusable(folder, `${file.name} must be a file of ${file.size} bytes`, status.size);
      }
      if (verify === 'hash') await compareDigest(fs, folder, file);
    }
    return new Checkpoint(folder, manifest, fs);
  });
}

/** The manifest of a folder, which must agree with the folder's name. Throws `checkpoint` or `filesystem`. */
export async function readManifest(fs: FileSystem, folder: string): Promise<Manifest> {
  const bytes = await guarded(folder, () => readSmallFile(fs, join(folder, manifestName), 16 * 2 ** 20));
  const manifest = decodeManifest(bytes, folder);
  const named = parseCheckpointName(basename(folder));
  if (named !== undefined && named.step !== manifest.step) {
    throw unusable(folder, `its manifest must be of step ${named.step}, as its name`, manifest.step);
  }
  return manifest;
}

async function compareDigest(fs: FileSystem, folder: string, file: ManifestFile): Promise<void> {
  const { size, sha256 } = await digestFile(fs, join(folder, file.name));
  if (size !== file.size || sha256 !== file.sha256) {
    throw unusable(folder, `the sha256 of ${file.name} must be ${file.sha256.slice(0, 16)}...`, sha256);
  }
}

/** Failures that come from what is on the disk; every other one (EACCES, EMFILE) must not make a good checkpoint pass for bad. */
const damage = new Set(['ENOENT', 'EIO', 'ENOTDIR', 'EISDIR', 'ELOOP', 'ENXIO']);

async function guarded<T>(folder: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (error) {
    const cause = error instanceof SluiceError && error.code === 'filesystem' ? error.cause : error;
    const damaged =
      damage.has(systemErrorCode(cause) ?? '') || (error instanceof SluiceError && error.code === 'format');
    if (!damaged) throw asFileSystemError(error, `checkpoint ${folder} must be readable`);
    throw unusable(folder, 'its files must be readable', cause instanceof Error ? cause.message : cause, error);
  }
}

export interface RefusedCheckpoint {
  readonly folder: string;
  readonly step: number;
  readonly reason: SluiceError;
}

export interface LatestCheckpoint {
  /** The newest valid one; undefined when there is none. */
  readonly checkpoint: Checkpoint | undefined;
  /** Newer ones that were refused, newest first: tell the user. */
  readonly refused: readonly RefusedCheckpoint[];
}

/** Finds the newest valid checkpoint of a run by looking at all of them: no pointer file can lie. Throws `filesystem`. */
export async function latestCheckpoint(
  runFolder: string,
  options: OpenCheckpointOptions = {},
): Promise<LatestCheckpoint> {
  const refused: RefusedCheckpoint[] = [];
  for (const folder of await foldersOf(runFolder, options)) {
    const result = await tryOpen(folder, options);
    if (result instanceof Checkpoint) return { checkpoint: result, refused };
    refused.push(result);
  }
  return { checkpoint: undefined, refused };
}

export interface CheckpointList {
  readonly checkpoints: readonly Checkpoint[];
  readonly refused: readonly RefusedCheckpoint[];
}

/** All checkpoints of a run, newest first, compared by size unless asked for hashes. Throws `filesystem`. */
export async function listCheckpoints(runFolder: string, options: OpenCheckpointOptions = {}): Promise<CheckpointList> {
  const checkpoints: Checkpoint[] = [];
  const refused: RefusedCheckpoint[] = [];
  for (const folder of await foldersOf(runFolder, options)) {
    const result = await tryOpen(folder, { verify: 'size', ...options });
    if (result instanceof Checkpoint) checkpoints.push(result);
    else refused.push(result);
  }
  return { checkpoints, refused };
}

async function foldersOf(
  runFolder: string,
  { fs = nodeFileSystem }: OpenCheckpointOptions,
): Promise<CheckpointFolder[]> {
  try {
    return await checkpointFolders(fs, runFolder);
  } catch (error) {
    throw asFileSystemError(error, `the checkpoints of ${runFolder} must be readable`);
  }
}

async function tryOpen(
  folder: CheckpointFolder,
  options: OpenCheckpointOptions,
): Promise<Checkpoint | RefusedCheckpoint> {
  try {
    return await openCheckpoint(folder.path, options);
  } catch (error) {
    if (!(error instanceof SluiceError) || error.code !== 'checkpoint') throw error;
    return { folder: folder.path, step: folder.step, reason: error };
  }
}
