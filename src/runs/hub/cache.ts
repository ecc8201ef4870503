/** The folder of downloaded models, laid out as huggingface_hub has it, so that both find what either fetched. */
import { readdir, readFile, rm, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { writeFileAtomically } from '../../formats/durable.js';
import { exists, nodeFileSystem, systemErrorCode } from '../../formats/file-system.js';
import { copyFile, mkdir, rename } from './files.js';
import type { ModelName } from './names.js';

const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);

/** The folder of a model: blobs/, refs/ and snapshots/ are in it. */
export const modelFolder = (cache: string, name: string): string =>
  join(cache, `models--${name.replaceAll('/', '--')}`);

/** Where the bytes of a file are kept, by their hash. */
export const blobPath = (folder: string, etag: string): string => join(folder, 'blobs', etag);

/** The folder with the files of a revision; undefined where it was not fetched. */
export async function snapshotOf(cache: string, { name, revision }: ModelName): Promise<string | undefined> {
  const folder = modelFolder(cache, name);
  const commit = isCommit(revision) ? revision : await readRef(folder, revision);
  if (commit === undefined) return undefined;
  const snapshot = join(folder, 'snapshots', commit);
  return (await exists(snapshot)) ? snapshot : undefined;
}

async function readRef(folder: string, revision: string): Promise<string | undefined> {
  try {
    const commit = (await readFile(join(folder, 'refs', revision), 'utf8')).trim();
    return isCommit(commit) ? commit : undefined;
  } catch (error) {
    if (/^(ENOENT|ENOTDIR|EISDIR)$/.test(systemErrorCode(error) ?? '')) return undefined;
    throw error;
  }
}

/** A file of a snapshot, and the blob that holds it. */
export interface SnapshotFile {
  readonly path: string;
  readonly etag: string;
}

/**
 * Makes the files of a commit visible, all at once where the snapshot is new, and then lets the revision name it: who
 * looks before sees what was there.
 */
export async function commitSnapshot(
  folder: string,
  revision: string,
  commit: string,
  files: readonly SnapshotFile[],
): Promise<string> {
  const snapshots = join(folder, 'snapshots');
  const snapshot = join(snapshots, commit);
  const isNew = !(await exists(snapshot));
  const staging = join(snapshots, `.${commit}.tmp-${process.pid}`);
  const target = isNew ? staging : snapshot;
  await sweep(snapshots);
  try {
    for (const file of files) await link(folder, target, snapshot, file);
    if (isNew) await rename(staging, snapshot);
  } catch (error) {
    await rm(staging, { recursive: true, force: true });
    throw error;
  }
  if (!isCommit(revision)) {
    const ref = join(folder, 'refs', revision);
    await mkdir(dirname(ref));
    await writeFileAtomically(ref, commit);
  }
  return snapshot;
}

/** Takes away what a process that was killed left half made. The caller holds the folder's lock. */
async function sweep(snapshots: string): Promise<void> {
  await mkdir(snapshots);
  for (const name of await readdir(snapshots)) {
    if (/^\.[0-9a-f]{40}\.tmp-/.test(name)) await rm(join(snapshots, name), { recursive: true, force: true });
  }
}

/** A link from a snapshot to a blob, relative so that the cache can be moved; a copy where there are no links. */
async function link(folder: string, into: string, final: string, { path, etag }: SnapshotFile): Promise<void> {
  const at = join(into, path);
  await mkdir(dirname(at));
  const beside = join(dirname(at), `.${etag}.tmp-${process.pid}`);
  await rm(beside, { force: true });
  try {
    await symlink(relative(dirname(join(final, path)), blobPath(folder, etag)), beside);
  } catch (error) {
    if (!/^(EPERM|ENOTSUP|EACCES|ENOSYS)$/.test(systemErrorCode(error) ?? '')) throw error;
    await copyFile(blobPath(folder, etag), beside);
  }
  await nodeFileSystem.rename(beside, at);
}
