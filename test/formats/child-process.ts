import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { build } from 'vite';

/** Bundles a TypeScript file and what it imports for a child process; gives the path of the module. */
export async function bundleChild(entry: string, folder: string): Promise<string> {
  const output = { entryFileNames: 'child.mjs' };
  await build({
    configFile: false,
    logLevel: 'silent',
    build: { ssr: entry, outDir: folder, emptyOutDir: false, rollupOptions: { output } },
  });
  return join(folder, 'child.mjs');
}

export interface Child {
  readonly process: ChildProcessByStdio<Writable, Readable, null>;
  /** Lines of its output so far. */
  readonly lines: string[];
  /** The next line; undefined when it ended. */
  next(): Promise<string | undefined>;
  /** Ends with the process. */
  readonly ended: Promise<unknown>;
}

export function startChild(command: string, args: readonly string[]): Child {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines: string[] = [];
  const reader = createInterface({ input: child.stdout });
  const incoming = reader[Symbol.asyncIterator]();
  reader.on('line', (line) => lines.push(line));
  return {
    process: child,
    lines,
    next: async () => (await incoming.next()).value,
    ended: Promise.all([once(child, 'exit'), once(reader, 'close')]),
  };
}
