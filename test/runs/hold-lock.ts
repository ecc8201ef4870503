import { SluiceError } from '../../src/base/errors.js';
import { lockRun } from '../../src/runs/lock.js';

/** A child process: locks a folder, tells how it went, and holds the lock until its input ends. */
async function hold(folder: string): Promise<void> {
  try {
    const lock = await lockRun(folder);
    process.stdout.write('held\n');
    for await (const _ of process.stdin);
    await lock.release();
    process.stdout.write('released\n');
  } catch (error) {
    process.stdout.write(`${error instanceof SluiceError ? error.message : error}\n`);
  }
}

hold(process.argv[2] ?? '');
