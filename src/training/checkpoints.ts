import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { removeFolder, syncFolder, writeNewFile } from '../formats/durable.js';
import {
  asFileSystemError,
  type ByteSink,
  type FileSystem,
  nodeFileSystem,
  systemErrorCode,
} from '../formats/file-system.js';
import { encodeJson } from '../formats/json-values.js';
import {
  type SafetensorsEntry,
  type SafetensorsMetadata,
  safetensorsByteLength,
  writeSafetensors,
} from '../formats/safetensors-write.js';
import { checkpointFolders, checkpointName, checkpointsFolder, isLeftover, namesIn } from './checkpoints-folders.js';
import { checkPartNames, encodeManifest, isStep, type ManifestFile, manifestName } from './checkpoints-manifest.js';
import { openCheckpoint } from './checkpoints-read.js';
import { checkRetention, type Retention, retain } from './checkpoints-retention.js';

/** One file of a checkpoint. */
export interface CheckpointPart {
  readonly name: string;
  /** Its size if known, for the look at the free space. */
  readonly byteLength?: number;
  write(sink: ByteSink): Promise<void>;
}

export interface SaveCheckpointOptions extends Retention {
  /** What a resumed run must agree with to give the same bits: device, engine, threads, versions. */
  readonly environment?: unknown;
  readonly fs?: FileSystem;
}

export interface SavedCheckpoint {
  readonly folder: string;
  readonly step: number;
  readonly byteLength: number;
  /** Older checkpoints that retention removed. */
  readonly removed: readonly string[];
  /** What could not be tidied up; the checkpoint itself is safe. */
  readonly warnings: readonly SluiceError[];
}

/** A value as a part; NaN, infinities and bigints come back as they were. Throws `argument` for what JSON cannot hold. */
export function jsonPart(name: string, value: unknown): CheckpointPart {
  const bytes = new TextEncoder().encode(encodeJson(value, 2));
  return { name, byteLength: bytes.length, write: (sink) => sink.write(bytes) };
}

/** Tensors as a safetensors part; one is in memory at a time. */
export const tensorsPart = (
  name: string,
  entries: readonly SafetensorsEntry[],
  metadata?: SafetensorsMetadata,
): CheckpointPart => ({
  name,
  byteLength: safetensorsByteLength(entries, metadata),
  write: (sink) => writeSafetensors(sink, entries, metadata),
});

/** Checkpoint folders that this process is writing into, so that an overlapping save cannot sweep the first one away. */
const inProgress = new Set<string>();

/**
 * Saves a checkpoint into `checkpoints/step-…` of an existing run folder, all of it or nothing: a crash at any moment
 * leaves the old ones, or the old ones and the new one. The caller holds the run's lock.
 * Throws `filesystem` (disk full, not writable; nothing is left behind and the old checkpoints are intact), `argument`,
 * `busy` when a save of the same run has not ended.
 */
export async function saveCheckpoint(
  runFolder: string,
  step: number,
  parts: readonly CheckpointPart[],
  options: SaveCheckpointOptions = {},
): Promise<SavedCheckpoint> {
  if (!isStep(step))
    throw new SluiceError('argument', {
      rule: 'a step must be a natural number',
      received: step,
      remedy: 'Count the steps that are done, from 0 on.',
    });
  checkPartNames(parts.map((part) => part.name));
  checkRetention(options);
  const fs = options.fs ?? nodeFileSystem;
  const parent = checkpointsFolder(runFolder);
  if (inProgress.has(parent)) {
    const remedy = 'Wait for the first save before the next.';
    throw new SluiceError('busy', { rule: 'one checkpoint of a run must be saved at a time', received: step, remedy });
  }
  inProgress.add(parent);
  try {
    return await save(fs, runFolder, step, parts, options);
  } catch (error) {
    throw asFileSystemError(error, `checkpoint ${step} of ${runFolder} must be writable`);
  } finally {
    inProgress.delete(parent);
  }
}

async function save(
  fs: FileSystem,
  runFolder: string,
  step: number,
  parts: readonly CheckpointPart[],
  options: SaveCheckpointOptions,
): Promise<SavedCheckpoint> {
  const parent = checkpointsFolder(runFolder);
  await makeParent(fs, runFolder);
  const warnings = await sweep(fs, parent);
  await checkSpace(fs, runFolder, parts);
  const temporary = join(parent, `.tmp-${checkpointName(step, 1)}-${process.pid}`);
  let byteLength: number;
  let folder: string;
  try {
    byteLength = await writeParts(fs, temporary, step, parts, options.environment ?? null);
    folder = join(parent, await freeName(fs, runFolder, step));
    await fs.rename(temporary, folder);
  } catch (error) {
    await removeFolder(fs, temporary).catch(() => undefined);
    throw error;
  }
  // Nothing may be removed before the new name is durable.
  await syncFolder(fs, parent);
  const { removed, warnings: more } = await retain(fs, runFolder, folder, options);
  return { folder, step, byteLength, removed, warnings: [...warnings, ...more] };
}

/** Makes `checkpoints` but never the run folder: one that was deleted during the run must not come back half. */
async function makeParent(fs: FileSystem, runFolder: string): Promise<void> {
  try {
    await fs.mkdir(checkpointsFolder(runFolder));
  } catch (error) {
    if (systemErrorCode(error) === 'EEXIST') return;
    throw error;
  }
  await syncFolder(fs, runFolder);
}

/** Removes what killed processes left behind. */
async function sweep(fs: FileSystem, parent: string): Promise<SluiceError[]> {
  const warnings: SluiceError[] = [];
  for (const name of (await namesIn(fs, parent)).filter(isLeftover)) {
    try {
      await removeFolder(fs, join(parent, name));
    } catch (error) {
      const warning = asFileSystemError(error, `the leftover ${join(parent, name)} must be removable`);
      if (!(warning instanceof SluiceError)) throw error;
      warnings.push(warning);
    }
  }
  return warnings;
}

/** A twentieth and a mebibyte more than the parts need; parts of unknown size count as in the newest checkpoint. */
async function checkSpace(fs: FileSystem, runFolder: string, parts: readonly CheckpointPart[]): Promise<void> {
  const free = await freeSpace(fs, checkpointsFolder(runFolder));
  const before = parts.some((part) => part.byteLength === undefined) ? await newestSizes(fs, runFolder) : new Map();
  const needed = parts.reduce((sum, part) => sum + (part.byteLength ?? before.get(part.name) ?? 0), 0);
  const wanted = Math.ceil(needed * 1.05) + 2 ** 20;
  if (free >= wanted) return;
  throw new SluiceError('filesystem', {
    rule: `a checkpoint of ${runFolder} must have ${wanted} bytes of free disk`,
    received: free,
    remedy: 'Free space on this disk, keep fewer checkpoints, or choose a folder on another disk.',
  });
}

/** Bytes that this user may still take; unlimited where the file system does not tell, as some network ones. */
async function freeSpace(fs: FileSystem, path: string): Promise<number> {
  try {
    const { bsize, blocks, bavail } = await fs.statfs(path);
    return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
  } catch (error) {
    if (!['ENOSYS', 'ENOTSUP'].includes(systemErrorCode(error) ?? '')) throw error;
    return Number.POSITIVE_INFINITY;
  }
}

async function newestSizes(fs: FileSystem, runFolder: string): Promise<Map<string, number>> {
  const [newest] = await checkpointFolders(fs, runFolder);
  const opened = newest && (await openCheckpoint(newest.path, { verify: 'size', fs }).catch(() => undefined));
  return new Map(opened?.manifest.files.map(({ name, size }) => [name, size]));
}

async function writeParts(
  fs: FileSystem,
  folder: string,
  step: number,
  parts: readonly CheckpointPart[],
  environment: unknown,
): Promise<number> {
  await fs.mkdir(folder);
  const files: ManifestFile[] = [];
  for (const part of parts) {
    const digest = await writeNewFile(fs, join(folder, part.name), (sink) => part.write(sink));
    files.push({ name: part.name, ...digest });
  }
  const manifest = new TextEncoder().encode(encodeManifest(step, files, environment));
  await writeNewFile(fs, join(folder, manifestName), (sink) => sink.write(manifest));
  await syncFolder(fs, folder);
  return files.reduce((sum, { size }) => sum + size, manifest.length);
}

/** The step's name, or its next revision when the step was saved before: nothing valid is moved away for the new one. */
async function freeName(fs: FileSystem, runFolder: string, step: number): Promise<string> {
  const before = (await checkpointFolders(fs, runFolder)).find((folder) => folder.step === step);
  return checkpointName(step, (before?.revision ?? 0) + 1);
}
