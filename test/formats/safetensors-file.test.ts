import { execFileSync } from 'node:child_process';
import { mkdtemp, open, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SafetensorsFile } from '../../src/formats/safetensors-file.js';
import { encodeSafetensors, float32Entry, type SafetensorsEntry } from '../../src/formats/safetensors-write.js';
import { errorOf, member, safetensorsOf } from './make-safetensors.js';
import { MemoryFileSystem, systemError } from './memory-file-system.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-safetensors-'));
});
afterAll(() => rm(folder, { recursive: true }));

const values = Float32Array.from({ length: 1000 }, (_, i) => i / 7);
const file = encodeSafetensors([float32Entry('w', [10, 100], values), float32Entry('b', [], new Float32Array([3]))]);

async function saved(name: string, bytes: Uint8Array = file): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

test('a file is read tensor by tensor', async () => {
  const opened = await SafetensorsFile.open(await saved('plain.safetensors'));
  expect(opened.names()).toEqual(['b', 'w']);
  expect(opened.info('w')).toEqual({ dtype: 'F32', shape: [10, 100], byteLength: 4000 });
  expect(opened.metadata.get('format')).toBe('pt');
  expect(await opened.readFloat32('w')).toEqual(values);
  expect(await opened.read('b')).toEqual(new Uint8Array([0, 0, 0x40, 0x40]));
  expect((await errorOf(() => opened.read('v'))).code).toBe('name');
  await opened.close();
});

test('a tensor past 2 GiB is read by position', async () => {
  const large = 2 ** 31 + 4096;
  const header = `{${member('filler', 'U8', `[${large}]`, 0, large)},${member('w', 'F32', '[2]', large, large + 8)}}`;
  const path = await saved('large.safetensors', safetensorsOf(header));
  const handle = await open(path, 'r+');
  // A sparse file: the filler takes no room on the disk.
  await handle.write(new Uint8Array(new Float32Array([5, -6]).buffer), 0, 8, 8 + header.length + large);
  await handle.close();
  const opened = await SafetensorsFile.open(path);
  expect(await opened.readFloat32('w')).toEqual(new Float32Array([5, -6]));
  await opened.close();
  await rm(path);
});

test('values converted in several pieces are those of the whole', async () => {
  const wide = Float64Array.from({ length: 1_200_000 }, (_, i) => Math.sin(i));
  const entry: SafetensorsEntry<Uint8Array> = {
    name: 'w',
    dtype: 'F64',
    shape: [wide.length],
    bytes: () => new Uint8Array(wide.buffer),
  };
  const opened = await SafetensorsFile.open(await saved('wide.safetensors', encodeSafetensors([entry])));
  expect(Buffer.from((await opened.readFloat32('w')).buffer).equals(Buffer.from(Float32Array.from(wide).buffer))).toBe(
    true,
  );
  await opened.close();
});

test('a malformed file is refused with its path, and closed', async () => {
  const fs = new MemoryFileSystem();
  const handle = await fs.open('/bad.safetensors', 'wx');
  await handle.write(file, 0, 100, 0);
  fs.calls.length = 0;
  const error = await errorOf(() => SafetensorsFile.open('/bad.safetensors', { fs }));
  expect(error.code).toBe('format');
  expect(error.message).toMatch(/^\/bad\.safetensors: .*must/);
  expect(fs.calls.filter((call) => call.startsWith('open'))).toHaveLength(1);
  expect(fs.calls.at(-1)).toBe('close /bad.safetensors');
});

test('a missing file is a filesystem error with a remedy', async () => {
  const error = await errorOf(() => SafetensorsFile.open(join(folder, 'missing.safetensors')));
  expect(error.code).toBe('filesystem');
  expect(error.message).toMatch(/missing\.safetensors must be readable.*ENOENT.*Check the path/);
});

test('a file cut off or changed after it was opened is refused', async () => {
  const path = await saved('changing.safetensors');
  const cut = await SafetensorsFile.open(path);
  await truncate(path, file.length - 4);
  expect((await errorOf(() => cut.read('w'))).message).toMatch(/must not change while it is open/);
  await cut.close();

  await saved('changing.safetensors');
  const changed = await SafetensorsFile.open(path);
  await utimes(path, 1, 1);
  expect((await errorOf(() => changed.readFloat32('w'))).message).toMatch(/must not change while it is open/);
  await changed.close();
});

test('a file replaced by another under its name goes on giving the old bytes', async () => {
  const path = await saved('replaced.safetensors');
  const opened = await SafetensorsFile.open(path);
  await rename(await saved('other.safetensors', encodeSafetensors([])), path);
  expect(await opened.readFloat32('w')).toEqual(values);
  await opened.close();
});

test('a read that gives fewer bytes each time gives them all', async () => {
  const fs = new MemoryFileSystem();
  await (await fs.open('/w.safetensors', 'wx')).write(file, 0, file.length, 0);
  fs.portion = (length) => Math.ceil(length / 3);
  let interruptions = 0;
  fs.fault = (call) => (call === 'read' && interruptions++ % 2 === 0 ? systemError('EINTR', 'read') : undefined);
  const opened = await SafetensorsFile.open('/w.safetensors', { fs });
  expect(await opened.readFloat32('w')).toEqual(values);
});

test('a failing disk is a filesystem error', async () => {
  const fs = new MemoryFileSystem();
  await (await fs.open('/w.safetensors', 'wx')).write(file, 0, file.length, 0);
  const opened = await SafetensorsFile.open('/w.safetensors', { fs });
  fs.fault = (call) => (call === 'read' ? systemError('EIO', 'read') : undefined);
  expect((await errorOf(() => opened.read('w'))).code).toBe('filesystem');
});

test('a folder, a device and a pipe without a writer are refused at once', async () => {
  const pipe = join(folder, 'pipe.safetensors');
  if (process.platform !== 'win32') execFileSync('mkfifo', [pipe]);
  for (const path of process.platform === 'win32' ? [folder] : [folder, '/dev/zero', pipe]) {
    const error = await errorOf(() => SafetensorsFile.open(path));
    expect(error.message, path).toMatch(/only a regular file can be read/);
  }
});

test('a link to a file is followed', async () => {
  const link = join(folder, 'link.safetensors');
  await symlink(await saved('target.safetensors'), link);
  const opened = await SafetensorsFile.open(link);
  expect(opened.names()).toEqual(['b', 'w']);
  await opened[Symbol.asyncDispose]();
});

test('integers are read as they are, 64-bit ones as bigints, and halves are refused', async () => {
  const entry = (name: string, dtype: SafetensorsEntry['dtype'], array: ArrayBufferView, length: number) => ({
    ...{ name, dtype, shape: [length] },
    bytes: () => new Uint8Array(array.buffer as ArrayBuffer),
  });
  const bytes = encodeSafetensors([
    entry('byte', 'I8', Int8Array.of(-1, 2, 3), 3),
    entry('flag', 'BOOL', Uint8Array.of(0, 1), 2),
    entry('long', 'I64', BigInt64Array.of(-(2n ** 53n) - 1n), 1),
    entry('half', 'F16', Uint16Array.of(1), 1),
    entry('word', 'U16', Uint16Array.of(65_535), 1),
  ]);
  const opened = await SafetensorsFile.open(await saved('integers.safetensors', bytes));
  expect(await opened.readValues('byte')).toEqual(Int8Array.of(-1, 2, 3));
  expect(await opened.readValues('flag')).toEqual(Uint8Array.of(0, 1));
  expect(await opened.readValues('long')).toEqual(BigInt64Array.of(-(2n ** 53n) - 1n));
  expect(await opened.readValues('word')).toEqual(Uint16Array.of(65_535));
  expect((await errorOf(() => opened.readValues('half'))).message).toMatch(/to be read as it is, received "F16"/);
  await opened.close();
});

test('a tensor in pieces is the tensor, in no more memory than a piece', async () => {
  const wide = Float32Array.from({ length: 2_500_000 }, (_, i) => Math.cos(i));
  const opened = await SafetensorsFile.open(
    await saved('pieces.safetensors', encodeSafetensors([float32Entry('w', [wide.length], wide)])),
  );
  const whole = new Float32Array(wide.length);
  let [at, largest] = [0, 0];
  for await (const piece of opened.float32Pieces('w')) {
    whole.set(piece, at);
    at += piece.length;
    largest = Math.max(largest, piece.length);
  }
  expect(at).toBe(wide.length);
  expect(largest).toBeLessThanOrEqual(2 ** 20);
  expect(Buffer.from(whole.buffer).equals(Buffer.from(wide.buffer))).toBe(true);
  await opened.close();
});
