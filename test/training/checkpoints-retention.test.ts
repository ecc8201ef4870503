import { describe, expect, test } from 'vitest';
import { saveCheckpoint } from '../../src/training/checkpoints.js';
import { latestCheckpoint, listCheckpoints } from '../../src/training/checkpoints-read.js';
import { discardCheckpointsAfter } from '../../src/training/checkpoints-retention.js';
import { errorOf } from '../formats/make-safetensors.js';
import { MemoryFileSystem, systemError } from '../formats/memory-file-system.js';
import { partsOf, runWith, stepOf } from './make-checkpoints.js';

const parent = '/run/checkpoints';

async function stepsLeft(fs: MemoryFileSystem): Promise<number[]> {
  return (await listCheckpoints('/run', { fs, verify: 'hash' })).checkpoints.map(({ step }) => step);
}

describe('keeping the newest checkpoints', () => {
  test.each([
    [1, [5]],
    [2, [5, 4]],
    [9, [5, 4, 3, 2, 1]],
    [undefined, [5, 4, 3, 2, 1]],
  ])('keep %s', async (keep, left) => {
    const fs = new MemoryFileSystem();
    await runWith(fs, 1, 2, 3, 4);
    const options = keep === undefined ? { fs } : { fs, keep };
    const { removed } = await saveCheckpoint('/run', 5, partsOf(5), options);
    expect(await stepsLeft(fs)).toEqual(left);
    expect(removed).toHaveLength(5 - left.length);
    expect(await fs.readdir(parent)).toHaveLength(left.length);
  });

  test('leaves a folder of the newest step that has no manifest of ours', async () => {
    const fs = new MemoryFileSystem();
    await runWith(fs, 4);
    await fs.rename(`${parent}/step-00000004`, `${parent}/step-00000005`);
    await fs.unlink(`${parent}/step-00000005/manifest.json`);
    await saveCheckpoint('/run', 5, partsOf(5), { fs, keep: 1 });
    expect(await fs.readdir(parent)).toHaveLength(2);
  });

  test('counts valid ones only, and takes damaged ones away with those of their age', async () => {
    const fs = new MemoryFileSystem();
    await runWith(fs, 1, 2, 3, 4);
    for (const step of [1, 4])
      fs.damage(`${parent}/step-0000000${step}/model.safetensors`, (bytes) => bytes.subarray(1));
    await saveCheckpoint('/run', 5, partsOf(5), { fs, keep: 2 });
    expect(await stepsLeft(fs)).toEqual([5, 3]);
    expect((await fs.readdir(parent)).sort()).toEqual(['step-00000003', 'step-00000004', 'step-00000005']);
  });

  test('leaves folders without a manifest of ours, and other names', async () => {
    const fs = new MemoryFileSystem();
    await runWith(fs, 1);
    for (const name of ['step-00000000', 'step-1', 'step-00000001-1', 'best', 'step-000000001']) {
      await fs.mkdir(`${parent}/${name}`);
      await (await fs.open(`${parent}/${name}/mine`, 'wx')).close();
    }
    await saveCheckpoint('/run', 2, partsOf(2), { fs, keep: 1 });
    expect(await fs.readdir(parent)).toHaveLength(6);
    expect(await stepsLeft(fs)).toEqual([2]);
  });

  test('never removes the one just saved, even when newer steps are there', async () => {
    const fs = new MemoryFileSystem();
    await runWith(fs, 10, 20, 30);
    const { folder } = await saveCheckpoint('/run', 15, partsOf(15), { fs, keep: 1 });
    expect(await stepsLeft(fs)).toEqual([30, 15]);
    expect(folder).toBe(`${parent}/step-00000015`);
  });

  test('that fails is a warning: the new checkpoint is saved', async () => {
    for (const failing of ['rename', 'unlink', 'rmdir', 'readdir']) {
      const fs = new MemoryFileSystem();
      await runWith(fs, 1, 2);
      let committed = false;
      fs.fault = (call, path) => {
        if (committed && call === failing) return systemError('EACCES', call, path);
        committed ||= call === 'sync' && path === parent;
        return undefined;
      };
      const saved = await saveCheckpoint('/run', 3, partsOf(3), { fs, keep: 1 });
      fs.fault = () => undefined;
      expect(saved.warnings[0]?.message, failing).toMatch(/old checkpoint.*EACCES.*permissions/);
      expect((await latestCheckpoint('/run', { fs })).checkpoint?.step).toBe(3);
    }
  });
});

describe('going back to an older step', () => {
  test('discards the newer ones', async () => {
    const fs = new MemoryFileSystem();
    await runWith(fs, 1, 2, 3, 4);
    const { removed } = await discardCheckpointsAfter('/run', 2, { fs });
    expect(removed).toEqual([`${parent}/step-00000004`, `${parent}/step-00000003`]);
    const { checkpoint } = await latestCheckpoint('/run', { fs });
    expect(checkpoint && (await stepOf(checkpoint))).toBe(2);
  });

  test('is refused when that step has no valid checkpoint', async () => {
    const fs = new MemoryFileSystem();
    await runWith(fs, 1, 2, 3);
    fs.damage(`${parent}/step-00000002/state.json`, () => new Uint8Array(0));
    for (const step of [0, 2]) {
      expect((await errorOf(() => discardCheckpointsAfter('/run', step, { fs }))).code).toBe('checkpoint');
    }
    expect(await stepsLeft(fs)).toEqual([3, 1]);
  });
});
