import { describe, expect, test } from 'vitest';
import { SluiceError } from '../../src/base/errors.js';
import { saveCheckpoint } from '../../src/training/checkpoints.js';
import { latestCheckpoint, listCheckpoints } from '../../src/training/checkpoints-read.js';
import { MemoryFileSystem, systemError } from '../formats/memory-file-system.js';
import { partsOf, runWith, stepOf } from './make-checkpoints.js';

/** The steps that may be the latest after a crash: the last one before, or the new one. */
interface Scene {
  readonly before: readonly number[];
  readonly step: number;
  readonly keep: number;
}

const scenes: Record<string, Scene> = {
  'the first checkpoint of a run': { before: [], step: 1, keep: 1 },
  'the second of which one is kept': { before: [10], step: 20, keep: 1 },
  'the fourth of which two are kept': { before: [10, 20, 30], step: 40, keep: 2 },
  'a step saved again': { before: [10, 20], step: 20, keep: 1 },
};

const latestStep = async (fs: MemoryFileSystem): Promise<number | undefined> => {
  const { checkpoint } = await latestCheckpoint('/run', { fs });
  return checkpoint && stepOf(checkpoint);
};

async function prepared(before: readonly number[]): Promise<MemoryFileSystem> {
  const fs = new MemoryFileSystem();
  await runWith(fs, ...before);
  return fs;
}

const save = (fs: MemoryFileSystem, { step, keep }: Scene) => saveCheckpoint('/run', step, partsOf(step), { fs, keep });

describe.each(Object.entries(scenes))('%s', (_what, scene) => {
  const allowed = [scene.before.at(-1), scene.step];

  test('killed before any call: the last or the new one loads, and the next save ends well', async () => {
    for (let k = 1, ended = false; !ended; k++) {
      expect(k, 'calls of one save').toBeLessThan(500);
      const fs = await prepared(scene.before);
      fs.killAt(k);
      ended = await save(fs, scene).then(
        ({ warnings }) => warnings.length === 0,
        () => false,
      );
      fs.crash('all');
      expect(allowed, `killed before call ${k}`).toContain(await latestStep(fs));
      expect((await save(fs, scene)).warnings).toEqual([]);
      expect(await latestStep(fs)).toBe(scene.step);
      const names = await fs.readdir('/run/checkpoints');
      expect(names.filter((name) => !name.startsWith('step-'))).toEqual([]);
    }
  });

  test('losing power before any call: the last or the new one loads, whatever of the rest survived', async () => {
    for (let k = 1, ended = false; !ended; k++) {
      expect(k, 'calls of one save').toBeLessThan(500);
      for (const survivors of ['none', k, -k, 1000 + k, 2000 + k] as const) {
        const fs = await prepared(scene.before);
        fs.killAt(k);
        ended = await save(fs, scene).then(
          ({ warnings }) => warnings.length === 0,
          () => false,
        );
        fs.crash(survivors);
        const latest = await latestStep(fs);
        expect(allowed, `call ${k}, survivors ${survivors}`).toContain(latest);
        if (ended) expect(latest).toBe(scene.step);
        // No folder is named as a checkpoint and has lost files, be it old or new.
        expect((await listCheckpoints('/run', { fs })).refused).toEqual([]);
      }
    }
  });

  test('with one failing call: the save fails and leaves no rest, or succeeds with a warning', async () => {
    for (const code of ['EIO', 'ENOSPC', 'EACCES']) {
      for (let k = 1, clean = false; !clean; k++) {
        expect(k, 'calls of one save').toBeLessThan(500);
        const fs = await prepared(scene.before);
        const start = fs.calls.length;
        let failed = false;
        fs.fault = (call, path, count) => {
          failed ||= count - start === k;
          return count - start === k ? systemError(code, call, path) : undefined;
        };
        const result = await save(fs, scene).catch((error: unknown) => error);
        fs.fault = () => undefined;
        clean = !failed;
        if (result instanceof SluiceError) expect(result.code).toBe('filesystem');
        else expect(result).toMatchObject({ step: scene.step });
        expect(allowed, `${code} at call ${k}`).toContain(await latestStep(fs));
        if (!(result instanceof SluiceError)) expect(await latestStep(fs)).toBe(scene.step);
        const { refused } = await listCheckpoints('/run', { fs, verify: 'hash' });
        expect(refused).toEqual([]);
      }
    }
  });
});

test('killed again and again at any call, a run never loses its last checkpoint', async () => {
  const fs = await prepared([1]);
  let last = 1;
  for (let round = 0; round < 300; round++) {
    const step = last + 1;
    fs.killAt(1 + ((round * 37) % 97));
    const saved = await save(fs, { before: [], step, keep: 2 }).then(
      () => true,
      () => false,
    );
    fs.crash(round);
    const latest = await latestStep(fs);
    expect(saved ? [step] : [last, step]).toContain(latest);
    last = latest ?? 0;
  }
  expect(last).toBeGreaterThan(20);
});
