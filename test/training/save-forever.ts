import { nodeFileSystem } from '../../src/formats/file-system.js';
import { saveCheckpoint } from '../../src/training/checkpoints.js';
import { latestCheckpoint } from '../../src/training/checkpoints-read.js';
import { partsOf, stepOf } from './make-checkpoints.js';

/** A child process: saves step after step after the latest one, and tells each; or fills a small disk once. */
const [run = '', mode = ''] = process.argv.slice(2);
const say = (text: unknown): void => void process.stdout.write(`${text}\n`);

async function saveForever(): Promise<void> {
  const { checkpoint } = await latestCheckpoint(run);
  for (let step = (checkpoint ? await stepOf(checkpoint) : 0) + 1; ; step++) {
    await saveCheckpoint(run, step, partsOf(step, 20_000), { keep: 2 });
    say(step);
  }
}

async function fillDisk(): Promise<void> {
  const fs = { ...nodeFileSystem, statfs: async () => ({ bsize: 1, blocks: 1e12, bavail: 1e12 }) };
  await saveCheckpoint(run, 1, partsOf(1, 30_000), { fs });
  const error = await saveCheckpoint(run, 2, partsOf(2, 200_000), { fs }).catch((reason: unknown) => reason);
  const { checkpoint } = await latestCheckpoint(run);
  say(checkpoint && (await stepOf(checkpoint)));
  say(await nodeFileSystem.readdir(`${run}/checkpoints`));
  say(error);
}

if (mode === 'fill') fillDisk();
else saveForever();
