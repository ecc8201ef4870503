import { describe, expect, test } from 'vitest';
import { openNative } from '../../../src/devices/native/device.js';
import { NativeRuntime } from '../../../src/devices/native/runtime.js';
import { hasCompiler } from '../../support/devices.js';

const gibibyte = 2 ** 30;

describe.skipIf(!hasCompiler)('the memory of the native device (skipped where there is no C compiler)', () => {
  test('blocks are aligned to 64 bytes, and one that is freed is given out again', async () => {
    const { arena, close } = await opened();
    const [a, b] = [arena.allocate(1), arena.allocate(100)];
    expect([a % 64, b % 64]).toEqual([0, 0]);
    arena.free(a);
    expect(arena.allocate(64)).toBe(a);
    expect(arena.statistics()).toMatchObject({ liveBytes: 64 + 128, peakBytes: 64 + 128 });
    await close();
  });

  async function opened(maximumBytes?: number) {
    const runtime = await NativeRuntime.open({ threads: 1, ...(maximumBytes === undefined ? {} : { maximumBytes }) });
    return { arena: runtime.arena, close: () => runtime.close() };
  }

  test('running out is an error that names the request and what is in use', async () => {
    const { arena, close } = await opened(64 * 2 ** 20);
    arena.allocate(2 ** 20);
    expect(() => arena.allocate(64 * 2 ** 20)).toThrow(
      'a request for 67108864 bytes with 1048576 bytes in use". Use a smaller batch',
    );
    expect(arena.allocate(2 ** 20)).toBeGreaterThan(0);
    await close();
  });

  test.skipIf(process.availableMemory() < 6 * gibibyte)('a tensor may lie above 4 GiB', async () => {
    const device = await openNative({ threads: 2 });
    const low = device.allocate('float32', gibibyte + 2 ** 27); // 4.5 GiB, of which only what is used is touched
    const length = 2 ** 20;
    const view = { buffer: low, offset: low.length - length, shape: [length], strides: [1] };
    device.random('uniform', { k0: 1, k1: 2 }, view);
    const other = device.allocate('float32', length);
    const same = { buffer: other, offset: 0, shape: [length], strides: [1] };
    device.random('uniform', { k0: 1, k1: 2 }, same);
    expect(Buffer.compare(bytes(await device.read(view)), bytes(await device.read(same)))).toBe(0);
    await device.close();
  });

  const bytes = (values: ArrayBufferView) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

  test('a device that is closed says so', async () => {
    const device = await openNative({ threads: 1 });
    await device.close();
    expect(() => device.allocate('float32', 1)).toThrow('before close()');
    await device.close();
  });

  test('a view with any strides is read in its own order', async () => {
    const device = await openNative({ threads: 1 });
    const buffer = device.allocate('int32', 6);
    device.write([1, 2, 3, 4, 5, 6], { buffer, offset: 0, shape: [6], strides: [1] });
    expect(await device.read({ buffer, offset: 5, shape: [3, 2], strides: [-1, -3] })).toEqual(
      Int32Array.of(6, 3, 5, 2, 4, 1),
    );
    expect(await device.read({ buffer, offset: 0, shape: [0, 2], strides: [2, 1] })).toEqual(new Int32Array(0));
    await device.close();
  });

  test('what was read does not change with what is written later, even while kernels are compiled', async () => {
    const device = await openNative({ threads: 1 });
    const buffer = device.allocate('float32', 4);
    const view = { buffer, offset: 0, shape: [4], strides: [1] };
    device.random('normal', { k0: 3, k1: 4 }, view);
    const values = new Float32Array([1, 2, 3, 4]);
    const before = device.read(view);
    device.write(values, view);
    values.fill(0);
    expect(await before).not.toEqual(Float32Array.of(1, 2, 3, 4));
    expect(await device.read(view)).toEqual(Float32Array.of(1, 2, 3, 4));
    await device.close();
  });
});
