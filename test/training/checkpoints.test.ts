import { existsSync } from 'node:fs';
import { mkdtemp, open, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type FileSystem, nodeFileSystem } from '../../src/formats/file-system.js';
import { type CheckpointPart, jsonPart, saveCheckpoint } from '../../src/training/checkpoints.js';
import { latestCheckpoint, listCheckpoints, openCheckpoint } from '../../src/training/checkpoints-read.js';
import { errorOf } from '../formats/make-safetensors.js';
import { MemoryFileSystem, systemError } from '../formats/memory-file-system.js';
import { partsOf, runWith, stepOf } from './make-checkpoints.js';

let run: string;
beforeEach(async () => {
  run = await mkdtemp(join(tmpdir(), 'sluice-run-'));
});
afterEach(() => rm(run, { recursive: true, force: true }));

const inCheckpoints = (): Promise<string[]> => readdir(join(run, 'checkpoints'));

test('a saved checkpoint holds the parts, the step and the environment', async () => {
  const environment = { device: 'native', threads: 2, versions: { sluice: '0.1.0' }, limit: Infinity };
  const saved = await saveCheckpoint(run, 1234, partsOf(1234), { environment });
  expect(saved).toMatchObject({
    folder: join(run, 'checkpoints', 'step-00001234'),
    step: 1234,
    removed: [],
    warnings: [],
  });
  expect(await inCheckpoints()).toEqual(['step-00001234']);
  const names = ['model.safetensors', 'optimizer.safetensors', 'state.json'];
  expect((await readdir(saved.folder)).sort()).toEqual(['manifest.json', ...names]);

  const { checkpoint, refused } = await latestCheckpoint(run);
  expect(refused).toEqual([]);
  expect(checkpoint?.names()).toEqual(names);
  expect(checkpoint?.environment).toEqual(environment);
  expect(checkpoint && (await stepOf(checkpoint))).toBe(1234);
  expect(await checkpoint?.readJson('state.json')).toEqual({ step: 1234, bestLoss: NaN, seed: 2n ** 64n - 1234n });
});

test('a part that is not there is refused with the nearest name', async () => {
  const { folder } = await saveCheckpoint(run, 1, partsOf(1));
  const checkpoint = await openCheckpoint(folder);
  expect((await errorOf(() => checkpoint.path('modl.safetensors'))).message).toMatch(
    /Did you mean "model\.safetensors"/,
  );
  expect((await errorOf(() => checkpoint.readJson('states.json'))).code).toBe('name');
});

test('checkpoints are listed by step, not by name, newest first', async () => {
  for (const step of [5, 123456789, 40, 99999999]) await saveCheckpoint(run, step, partsOf(1));
  const { checkpoints } = await listCheckpoints(run);
  expect(checkpoints.map(({ step }) => step)).toEqual([123456789, 99999999, 40, 5]);
});

test('a run without checkpoints has no latest one', async () => {
  expect(await latestCheckpoint(run)).toEqual({ checkpoint: undefined, refused: [] });
  expect(await latestCheckpoint(join(run, 'missing'))).toEqual({ checkpoint: undefined, refused: [] });
});

test('what killed processes left behind is swept by the next save', async () => {
  const fs = new MemoryFileSystem();
  await runWith(fs, 1);
  for (const name of ['.tmp-step-00000002-99', '.trash-step-00000000']) {
    await fs.mkdir(`/run/checkpoints/${name}`);
    await (await fs.open(`/run/checkpoints/${name}/half`, 'wx')).close();
  }
  await saveCheckpoint('/run', 2, partsOf(2), { fs });
  expect((await fs.readdir('/run/checkpoints')).sort()).toEqual(['step-00000001', 'step-00000002']);
});

test('a step saved again replaces the first one', async () => {
  await saveCheckpoint(run, 7, partsOf(7), { environment: 'first' });
  const again = await saveCheckpoint(run, 7, partsOf(7), { environment: 'second' });
  expect(again.removed).toEqual([join(run, 'checkpoints', 'step-00000007')]);
  expect((await latestCheckpoint(run)).checkpoint?.environment).toBe('second');
  await saveCheckpoint(run, 7, partsOf(7), { environment: 'third' });
  const { checkpoint } = await latestCheckpoint(run);
  expect(checkpoint?.environment).toBe('third');
  expect(checkpoint?.step).toBe(7);
  expect(await inCheckpoints()).toHaveLength(1);
});

test('saves of one run that overlap are refused', async () => {
  const first = saveCheckpoint(run, 1, partsOf(1));
  const error = await errorOf(() => saveCheckpoint(run, 2, partsOf(2)));
  expect(error.code).toBe('busy');
  await first;
  await saveCheckpoint(run, 2, partsOf(2));
  expect((await listCheckpoints(run)).checkpoints).toHaveLength(2);
});

describe('refused before anything is written', () => {
  test.each<[string, number, CheckpointPart[], object]>([
    ['a negative step', -1, partsOf(1), {}],
    ['half a step', 1.5, partsOf(1), {}],
    ['a part outside the folder', 1, [jsonPart('../state.json', 1)], {}],
    ['a part named as the manifest', 1, [jsonPart('Manifest.json', 1)], {}],
    ['two parts of one name', 1, [jsonPart('a.json', 1), jsonPart('A.json', 1)], {}],
    ['a hidden part', 1, [jsonPart('.a', 1)], {}],
    ['keeping none', 1, partsOf(1), { keep: 0 }],
  ])('%s', async (_what, step, parts, options) => {
    expect((await errorOf(() => saveCheckpoint(run, step, parts, options))).code).toBe('argument');
    expect(await readdir(run)).toEqual([]);
  });
});

describe('a save that fails leaves the old checkpoints and nothing else', () => {
  beforeEach(() => saveCheckpoint(run, 1, partsOf(1)));

  const unchanged = async (): Promise<void> => {
    expect(await inCheckpoints()).toEqual(['step-00000001']);
    const { checkpoint } = await latestCheckpoint(run);
    expect(checkpoint && (await stepOf(checkpoint))).toBe(1);
  };

  test.skipIf(!existsSync('/dev/full'))('on a full disk (/dev/full)', async () => {
    for (const name of ['model.safetensors', 'state.json', 'manifest.json']) {
      const full: FileSystem = {
        ...nodeFileSystem,
        open: (path, flags) => (path.endsWith(name) && flags === 'wx' ? open('/dev/full', 'w') : open(path, flags)),
      };
      const error = await errorOf(() => saveCheckpoint(run, 2, partsOf(2), { fs: full }));
      expect(error.code).toBe('filesystem');
      expect(error.message).toMatch(/checkpoint 2 of .* must be writable, received "ENOSPC.*Free space on this disk/);
      await unchanged();
    }
  });

  test('when there is too little room to begin', async () => {
    const fs = { ...nodeFileSystem, statfs: async () => ({ bsize: 1000, blocks: 5000, bavail: 1000 }) };
    const error = await errorOf(() => saveCheckpoint(run, 2, partsOf(2), { fs }));
    expect(error.code).toBe('filesystem');
    expect(error.message).toMatch(/bytes of free disk, received 1000000\. Free space/);
    await unchanged();
  });

  test('when parts of unknown size are as large as before, and that is too much', async () => {
    await saveCheckpoint(run, 1, partsOf(1, 2 ** 20));
    const unknown = partsOf(1, 2 ** 20).map(({ name, write }) => ({ name, write }));
    const room = (bavail: number) => ({ ...nodeFileSystem, statfs: async () => ({ bsize: 1, blocks: 1e12, bavail }) });
    const error = await errorOf(() => saveCheckpoint(run, 2, unknown, { fs: room(9 * 2 ** 20) }));
    expect(error.message).toMatch(/bytes of free disk/);
    expect((await saveCheckpoint(run, 2, unknown, { fs: room(10 * 2 ** 20) })).step).toBe(2);
  });

  test('when a part itself fails, with its own error', async () => {
    const broken: CheckpointPart = { name: 'z.json', write: () => Promise.reject(new RangeError('ours')) };
    await expect(saveCheckpoint(run, 2, [...partsOf(2), broken])).rejects.toThrow(new RangeError('ours'));
    await unchanged();
  });

  test('when the disk cannot be written', async () => {
    const fs = {
      ...nodeFileSystem,
      mkdir: async (path: string) => Promise.reject(systemError('EROFS', 'mkdir', path)),
    };
    const error = await errorOf(() => saveCheckpoint(run, 2, partsOf(2), { fs }));
    expect(error.message).toMatch(/EROFS.*disk that can be written/);
    await unchanged();
  });
});

test('a file system that does not tell its free space is written to', async () => {
  for (const statfs of [
    async () => ({ bsize: 4096, blocks: 0, bavail: 0 }),
    async (path: string) => Promise.reject(systemError('ENOSYS', 'statfs', path)),
  ]) {
    await saveCheckpoint(run, 1, partsOf(1), { fs: { ...nodeFileSystem, statfs } });
  }
  expect((await latestCheckpoint(run)).checkpoint?.step).toBe(1);
});

test('a run folder deleted during the run does not come back', async () => {
  await saveCheckpoint(run, 1, partsOf(1));
  await rm(run, { recursive: true });
  const error = await errorOf(() => saveCheckpoint(run, 2, partsOf(2)));
  expect(error.code).toBe('filesystem');
  expect(error.message).toMatch(/ENOENT.*moved or deleted/);
  expect(existsSync(run)).toBe(false);
});

test('a run folder that is a link is written through', async () => {
  const link = `${run}-link`;
  await symlink(run, link);
  await saveCheckpoint(link, 3, partsOf(3));
  await rm(link);
  const { checkpoint } = await latestCheckpoint(run);
  expect(checkpoint && (await stepOf(checkpoint))).toBe(3);
});

test('however few bytes a call writes, the checkpoint is the same', async () => {
  const contents: Uint8Array[][] = [];
  for (const part of [1, 3]) {
    const fs = new MemoryFileSystem();
    fs.portion = (length) => Math.ceil(length / part);
    await runWith(fs, 4);
    const names = ['manifest.json', 'model.safetensors', 'optimizer.safetensors', 'state.json'];
    contents.push(names.map((name) => fs.bytes(`/run/checkpoints/step-00000004/${name}`)));
  }
  expect(contents[1]).toEqual(contents[0]);
});
