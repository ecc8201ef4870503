import { copyFile as copy, mkdir as make, rename as move } from 'node:fs/promises';
import { dirname } from 'node:path';
import { syncFolder } from '../../formats/durable.js';
import { nodeFileSystem } from '../../formats/file-system.js';

/** Makes a folder and those above it. */
export async function mkdir(path: string): Promise<void> {
  await make(path, { recursive: true });
}

export const copyFile = (from: string, to: string): Promise<void> => copy(from, to);

/** Renames durably: after a crash the name is there. */
export async function rename(from: string, to: string): Promise<void> {
  await move(from, to);
  await syncFolder(nodeFileSystem, dirname(to));
}
