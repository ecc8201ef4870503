import { readFileSync } from 'node:fs';
import { run } from './program.js';
import { processTerminal } from './terminal.js';

/** The version in package.json. */
function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  const about: unknown = JSON.parse(text);
  return typeof about === 'object' && about !== null && 'version' in about ? String(about.version) : 'unknown';
}

/** Runs the process's command line. A reader that closes the pipe ends it silently. */
export async function main(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
      throw error;
    });
  }
  process.exitCode = await run(process.argv.slice(2), processTerminal(), version());
}
