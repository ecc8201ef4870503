import { SluiceError } from '../base/errors.js';
import { asFileSystemError, type FileSystem, nodeFileSystem, underRule } from '../formats/file-system.js';
import { type CheckpointFolder, checkpointFolders, removeCheckpoint } from './checkpoints-folders.js';
import { openCheckpoint, readManifest } from './checkpoints-read.js';

export interface Retention {
  /** How many valid checkpoints stay, the newest ones; all of them by default. */
  readonly keep?: number;
}

export interface Removals {
  /** The folders that are gone. */
  readonly removed: readonly string[];
  readonly warnings: readonly SluiceError[];
}

/** Throws `argument`. */
export function checkRetention({ keep }: Retention): void {
  if (keep === undefined || (Number.isSafeInteger(keep) && keep >= 1)) return;
  const remedy = 'Leave it out to keep every checkpoint.';
  throw new SluiceError('argument', { rule: 'keep must be a whole number of at least 1', received: keep, remedy });
}

/**
 * Removes older checkpoints after `newest` became durable, which always stays. Only valid checkpoints count; damaged ones
 * older than those kept go as well, folders without a manifest of ours stay: they may be somebody's.
 */
export async function retain(
  fs: FileSystem,
  runFolder: string,
  newest: string,
  retention: Retention,
): Promise<Removals> {
  try {
    return await removeAll(fs, runFolder, await surplusOf(fs, runFolder, newest, retention));
  } catch (error) {
    const warning = asFileSystemError(error, `the old checkpoints of ${runFolder} must be readable`);
    if (!(warning instanceof SluiceError)) throw error;
    return { removed: [], warnings: [warning] };
  }
}

async function surplusOf(
  fs: FileSystem,
  runFolder: string,
  newest: string,
  { keep = Number.POSITIVE_INFINITY }: Retention,
): Promise<CheckpointFolder[]> {
  const surplus: CheckpointFolder[] = [];
  let kept = 0;
  const steps = new Set<number>();
  for (const folder of await checkpointFolders(fs, runFolder)) {
    if (folder.path === newest) {
      kept++;
      steps.add(folder.step);
      continue;
    }
    const state = await stateOf(fs, folder);
    if (state === 'foreign') continue;
    if (steps.has(folder.step) || kept >= keep) surplus.push(folder);
    else if (state === 'valid') {
      steps.add(folder.step);
      kept++;
    }
  }
  return surplus;
}

/**
 * Removes the checkpoints past a step: a run that goes on from an older one would else find those of its other future.
 * The caller holds the run's lock. Throws `checkpoint` when the step itself has no valid checkpoint.
 */
export async function discardCheckpointsAfter(
  runFolder: string,
  step: number,
  { fs = nodeFileSystem }: { readonly fs?: FileSystem } = {},
): Promise<Removals> {
  const folders = await underRule(`the checkpoints of ${runFolder} must be readable`, () =>
    checkpointFolders(fs, runFolder),
  );
  const states = await Promise.all(folders.map((f) => (f.step === step ? stateOf(fs, f) : 'foreign')));
  if (!states.includes('valid')) {
    const rule = `the step that ${runFolder} goes back to must have a valid checkpoint`;
    throw new SluiceError('checkpoint', {
      rule,
      received: step,
      remedy: 'Choose a step that listCheckpoints() gives.',
    });
  }
  return removeAll(
    fs,
    runFolder,
    folders.filter((folder) => folder.step > step),
  );
}

async function removeAll(fs: FileSystem, runFolder: string, folders: readonly CheckpointFolder[]): Promise<Removals> {
  const removed: string[] = [];
  const warnings: SluiceError[] = [];
  for (const folder of folders) {
    try {
      await removeCheckpoint(fs, runFolder, folder);
      removed.push(folder.path);
    } catch (error) {
      const warning = asFileSystemError(error, `the old checkpoint ${folder.path} must be removable`);
      if (!(warning instanceof SluiceError)) throw error;
      warnings.push(warning);
    }
  }
  return { removed, warnings };
}

/** Valid by size; damaged if only its manifest can be read; else foreign. */
async function stateOf(fs: FileSystem, folder: CheckpointFolder): Promise<'valid' | 'damaged' | 'foreign'> {
  try {
    await readManifest(fs, folder.path);
  } catch (error) {
    if (error instanceof SluiceError) return 'foreign';
    throw error;
  }
  try {
    await openCheckpoint(folder.path, { verify: 'size', fs });
    return 'valid';
  } catch (error) {
    // Only a look at the files tells that they are damaged; a machine that cannot look must not lead to a removal.
    if (error instanceof SluiceError) return error.code === 'checkpoint' ? 'damaged' : 'foreign';
    throw error;
  }
}
