import { spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { randomKey, randomUniform } from '../../src/base/random.js';
import { saveCheckpoint } from '../../src/training/checkpoints.js';
import { latestCheckpoint, listCheckpoints } from '../../src/training/checkpoints-read.js';
import { bundleChild, startChild } from '../formats/child-process.js';
import { partsOf, stepOf } from './make-checkpoints.js';

let folder: string;
let child: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-kill-'));
  child = await bundleChild(join(import.meta.dirname, 'save-forever.ts'), folder);
});
afterAll(() => rm(folder, { recursive: true }));

test('a process killed at any moment while saving leaves a whole latest checkpoint', async () => {
  const run = join(folder, 'run');
  await mkdir(run);
  const key = randomKey(1, 'noise');
  for (let round = 0; round < 12; round++) {
    const saver = startChild(process.execPath, [child, run]);
    await saver.next();
    await delay(100 * randomUniform(key, round));
    saver.process.kill('SIGKILL');
    await saver.ended;
    const told = Number(saver.lines.at(-1));
    const { checkpoint, refused } = await latestCheckpoint(run);
    expect(refused).toEqual([]);
    const latest = checkpoint && (await stepOf(checkpoint));
    // What was told is there; the next one may have been named just before the end.
    expect([told, told + 1]).toContain(latest);
  }
  const last = (await latestCheckpoint(run)).checkpoint?.step ?? 0;
  await saveCheckpoint(run, last + 1, partsOf(last + 1), { keep: 2 });
  expect(await readdir(join(run, 'checkpoints'))).toHaveLength(2);
  expect((await listCheckpoints(run)).checkpoints.map(({ step }) => step)).toEqual([last + 1, last]);
});

const mayMount = spawnSync('unshare', ['--mount', 'true']).status === 0;

test.skipIf(!mayMount)(
  'a disk that fills up during a save keeps the old checkpoint (needs leave to mount)',
  async () => {
    const disk = join(folder, 'disk');
    await mkdir(disk);
    const script = 'mount -t tmpfs -o size=1m none "$1" && exec "$0" "$2" "$1" fill';
    const filler = startChild('unshare', ['--mount', 'sh', '-c', script, process.execPath, disk, child]);
    await filler.ended;
    const [latest, names, error] = filler.lines;
    expect([latest, names]).toEqual(['1', 'step-00000001']);
    expect(error).toMatch(/SluiceError: checkpoint 2 of .* must be writable, received "ENOSPC.*Free space/);
  },
);
