import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

let counter = 0;

/** A name beside a file that no other writer uses. */
export function temporaryBeside(path: string): string {
  return `${path}.${process.pid}-${counter++}.tmp`;
}

/** Makes a finished temporary file the file itself, and the change lasting where the system allows it. */
export async function replaceBy(path: string, temporary: string): Promise<void> {
  await rename(temporary, path);
  try {
    const folder = await open(dirname(path), 'r');
    await folder.sync().finally(() => folder.close());
  } catch {
    // Some systems cannot sync a folder; the rename has happened all the same.
  }
}

/** Writes a file whole or not at all. */
export async function writeAtomically(path: string, content: string | Uint8Array): Promise<void> {
  const temporary = temporaryBeside(path);
  try {
    const file = await open(temporary, 'wx');
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    await replaceBy(path, temporary);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}
