import { join } from 'node:path';
import { removeFolder, syncFolder } from '../formats/durable.js';
import { type FileSystem, systemErrorCode } from '../formats/file-system.js';

/** A folder named as a checkpoint; whether it is one, its manifest says. */
export interface CheckpointFolder {
  readonly name: string;
  readonly path: string;
  readonly step: number;
  /** A step saved again gets a second folder first; the highest revision counts. */
  readonly revision: number;
}

export const checkpointsFolder = (runFolder: string): string => join(runFolder, 'checkpoints');

export const checkpointName = (step: number, revision: number): string =>
  `step-${String(step).padStart(8, '0')}${revision === 1 ? '' : `-${revision}`}`;

/** The step and revision that a folder's name tells, undefined for every other name. */
export function parseCheckpointName(name: string): { step: number; revision: number } | undefined {
  const found = /^step-([0-9]{8,16})(?:-([0-9]{1,9}))?$/.exec(name);
  if (found === null) return undefined;
  const step = Number(found[1]);
  const revision = Number(found[2] ?? 1);
  return checkpointName(step, revision) === name ? { step, revision } : undefined;
}

/** The folders of a run that are named as checkpoints, newest first; none when there is no such run. */
export async function checkpointFolders(fs: FileSystem, runFolder: string): Promise<CheckpointFolder[]> {
  const parent = checkpointsFolder(runFolder);
  const folders: CheckpointFolder[] = [];
  for (const name of await namesIn(fs, parent)) {
    const parsed = parseCheckpointName(name);
    if (parsed !== undefined) folders.push({ name, path: join(parent, name), ...parsed });
  }
  return folders.sort((a, b) => b.step - a.step || b.revision - a.revision);
}

/** The entries of a folder; none when it is missing. */
export async function namesIn(fs: FileSystem, path: string): Promise<string[]> {
  try {
    return await fs.readdir(path);
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

/** What a killed process leaves behind: half a checkpoint, or half a removal. */
export const isLeftover = (name: string): boolean => name.startsWith('.tmp-') || name.startsWith('.trash-');

/**
 * Removes a checkpoint. First renamed, and that made durable, so that a crash between never leaves a folder that is named
 * as a checkpoint and has lost files.
 */
export async function removeCheckpoint(fs: FileSystem, runFolder: string, folder: CheckpointFolder): Promise<void> {
  const parent = checkpointsFolder(runFolder);
  const trash = join(parent, `.trash-${folder.name}`);
  await removeFolder(fs, trash);
  await fs.rename(folder.path, trash);
  await syncFolder(fs, parent);
  await removeFolder(fs, trash);
}
