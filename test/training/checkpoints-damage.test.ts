import { describe, expect, test } from 'vitest';
import { latestCheckpoint, listCheckpoints, openCheckpoint } from '../../src/training/checkpoints-read.js';
import { errorOf } from '../formats/make-safetensors.js';
import { MemoryFileSystem, systemError } from '../formats/memory-file-system.js';
import { runWith, stepOf } from './make-checkpoints.js';

const newest = '/run/checkpoints/step-00000020';
const older = '/run/checkpoints/step-00000010';
const files = ['manifest.json', 'model.safetensors', 'optimizer.safetensors', 'state.json'];

async function damaged(name: string, change: (bytes: Uint8Array) => Uint8Array): Promise<MemoryFileSystem> {
  const fs = new MemoryFileSystem();
  await runWith(fs, 10, 20);
  fs.damage(`${newest}/${name}`, change);
  return fs;
}

/** The newest one is refused for this reason, and the one before it loads. */
async function fallsBack(fs: MemoryFileSystem, reason: RegExp, verify: 'size' | 'hash' = 'hash'): Promise<void> {
  const { checkpoint, refused } = await latestCheckpoint('/run', { fs, verify });
  expect(refused.map(({ folder, step }) => [folder, step])).toEqual([[newest, 20]]);
  expect(refused[0]?.reason.code).toBe('checkpoint');
  expect(refused[0]?.reason.message).toMatch(reason);
  expect(refused[0]?.reason.message).toContain(newest);
  expect(checkpoint && (await stepOf(checkpoint))).toBe(10);
}

describe('a damaged newest checkpoint is refused with its reason, and the one before it is used', () => {
  test('each bit of the manifest flipped', async () => {
    const fs = await damaged('manifest.json', (bytes) => bytes);
    const length = fs.bytes(`${newest}/manifest.json`).length;
    for (let at = 0; at < length; at++) {
      const flip = (bytes: Uint8Array) => bytes.map((byte, i) => (i === at ? byte ^ (1 << (at % 8)) : byte));
      fs.damage(`${newest}/manifest.json`, flip);
      const error = await errorOf(() => openCheckpoint(newest, { fs, verify: 'size' }));
      expect(error.code, `byte ${at}`).toBe('checkpoint');
      fs.damage(`${newest}/manifest.json`, flip);
    }
    expect((await openCheckpoint(newest, { fs })).step).toBe(20);
  });

  test.each(files.slice(1))('each byte of %s flipped', async (name) => {
    const fs = await damaged(name, (bytes) => bytes);
    for (let at = 0; at < fs.bytes(`${newest}/${name}`).length; at += 7) {
      const flip = (bytes: Uint8Array) => bytes.map((byte, i) => (i === at ? byte ^ 1 : byte));
      fs.damage(`${newest}/${name}`, flip);
      await fallsBack(fs, new RegExp(`sha256 of ${name} must be`));
      fs.damage(`${newest}/${name}`, flip);
    }
  });

  test.each(files)('%s truncated anywhere, also when only sizes are compared', async (name) => {
    const whole = (await damaged(name, (bytes) => bytes)).bytes(`${newest}/${name}`).length;
    for (let length = 0; length < whole; length += 97) {
      const fs = await damaged(name, (bytes) => bytes.slice(0, length));
      await fallsBack(fs, /manifest must be|must be a file of/, 'size');
    }
  });

  test.each(files)('%s missing', async (name) => {
    const fs = await damaged(name, (bytes) => bytes);
    await fs.unlink(`${newest}/${name}`);
    await fallsBack(fs, /ENOENT/);
  });

  test.each(files)('%s longer by a byte', async (name) => {
    await fallsBack(
      await damaged(name, (bytes) => new Uint8Array([...bytes, 0x20])),
      /manifest must|must be a file/,
      'size',
    );
  });

  test.each(files)('%s of another step in its place', async (name) => {
    const fs = await damaged(name, (bytes) => bytes);
    const other = fs.bytes(`${older}/${name}`);
    fs.damage(`${newest}/${name}`, () => other);
    await fallsBack(fs, name === 'manifest.json' ? /manifest must be of step 20.*received 10/ : /sha256 of/);
  });

  test('a whole checkpoint under the name of another step', async () => {
    const fs = new MemoryFileSystem();
    await runWith(fs, 10, 15);
    await fs.rename('/run/checkpoints/step-00000015', newest);
    await fallsBack(fs, /must be of step 20, as its name, received 15/);
  });

  test('a folder instead of a file', async () => {
    const fs = await damaged('state.json', (bytes) => bytes);
    await fs.unlink(`${newest}/state.json`);
    await fs.mkdir(`${newest}/state.json`);
    await fallsBack(fs, /state\.json must be a file/);
  });

  test('an unreadable sector', async () => {
    const fs = await damaged('state.json', (bytes) => bytes);
    fs.fault = (call, path) =>
      call === 'read' && path === `${newest}/model.safetensors` ? systemError('EIO', call, path) : undefined;
    await fallsBack(fs, /files must be readable.*EIO/);
  });

  test.each<[string, string, RegExp]>([
    [
      'a manifest of another program',
      '{"format":"orbax","version":1}',
      /of format sluice-checkpoint, received "orbax"/,
    ],
    ['a manifest of a later version', '{"format":"sluice-checkpoint","version":2}', /of version 1; a newer Sluice/],
    ['a manifest that is no object', '[1]', /must be a JSON object/],
    ['a manifest that is no JSON', 'step 20', /well-formed JSON/],
    ['an empty manifest', '', /well-formed JSON/],
  ])('%s', async (_what, text, reason) => {
    await fallsBack(await damaged('manifest.json', () => new TextEncoder().encode(text)), reason);
  });
});

test('every refused checkpoint is told, newest first, when none is left', async () => {
  const fs = await damaged('state.json', (bytes) => bytes.slice(1));
  fs.damage(`${older}/model.safetensors`, () => new Uint8Array(0));
  const { checkpoint, refused } = await latestCheckpoint('/run', { fs });
  expect(checkpoint).toBeUndefined();
  expect(refused.map(({ step }) => step)).toEqual([20, 10]);
  expect((await listCheckpoints('/run', { fs })).refused).toHaveLength(2);
});

test('a machine that cannot look does not make a good checkpoint pass for a bad one', async () => {
  const fs = await damaged('state.json', (bytes) => bytes);
  for (const code of ['EMFILE', 'EACCES', 'ENOMEM']) {
    fs.fault = (call, path) => (call === 'open' ? systemError(code, call, path) : undefined);
    const error = await errorOf(() => latestCheckpoint('/run', { fs }));
    expect(error.code).toBe('filesystem');
  }
});

test('a part that changed after the checkpoint was opened by size is found when it is read', async () => {
  const fs = await damaged('state.json', (bytes) => bytes.map((byte) => byte ^ 1));
  const checkpoint = await openCheckpoint(newest, { fs, verify: 'size' });
  expect((await errorOf(() => checkpoint.readJson('state.json'))).message).toMatch(/sha256 of state\.json/);
});

test('a checkpoint copied elsewhere under any name opens', async () => {
  const fs = await damaged('state.json', (bytes) => bytes);
  await fs.rename(newest, '/best');
  expect(await stepOf(await openCheckpoint('/best', { fs }))).toBe(20);
});
