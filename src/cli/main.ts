import { packageVersion } from '../runs/version.js';
import { run } from './program.js';
import { processTerminal } from './terminal.js';

/** Runs the process's command line. A reader that closes the pipe ends it silently. */
export async function main(): Promise<void> {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EPIPE') process.exit(process.exitCode ?? 0);
      if (stream === process.stdout)
        process.stderr.write(`error: standard output cannot be written: ${error.message}\n`);
      process.exit(1);
    });
  }
  process.exitCode = await run(process.argv.slice(2), processTerminal(), packageVersion());
}
