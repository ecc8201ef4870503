import fc from 'fast-check';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { SluiceError } from '../../../src/base/errors.js';
import { openDevice } from '../../../src/devices/open.js';
import { Arena } from '../../../src/devices/wasm/arena.js';
import { openWasm } from '../../../src/devices/wasm/device.js';

const megabyte = 2 ** 20;

describe.each([true, false])('an arena (shared: %s)', (shared) => {
  test('blocks are aligned to 64 bytes, never at address 0, and never overlap', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 0, max: 5000 }), fc.boolean()), { maxLength: 60 }),
        (requests) => {
          const arena = new Arena({ shared, maximumBytes: 32 * megabyte });
          const live: { pointer: number; end: number }[] = [];
          for (const [bytes, freeOne] of requests) {
            const pointer = arena.allocate(bytes);
            expect(pointer % 64).toBe(0);
            expect(pointer).toBeGreaterThan(0);
            for (const other of live) expect(pointer >= other.end || pointer + bytes <= other.pointer).toBe(true);
            live.push({ pointer, end: pointer + Math.max(1, bytes) });
            const victim = freeOne ? live.splice(bytes % live.length, 1)[0] : undefined;
            if (victim !== undefined) arena.free(victim.pointer);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  test('a loop that repeats its requests gets the same blocks and grows nothing', () => {
    const arena = new Arena({ shared });
    const step = () => {
      const pointers = [100_000, 64, 3_000_000, 64, 100_000].map((bytes) => arena.allocate(bytes));
      for (const pointer of pointers) arena.free(pointer);
      return pointers.toSorted((left, right) => left - right);
    };
    const first = step();
    const reserved = arena.statistics().reservedBytes;
    for (let turn = 0; turn < 100; turn++) expect(step()).toEqual(first);
    expect(arena.statistics().reservedBytes).toBe(reserved);
  });

  test('freed neighbours are joined before the memory is declared full', () => {
    const arena = new Arena({ shared, maximumBytes: 8 * megabyte });
    const pointers = Array.from({ length: 7 }, () => arena.allocate(megabyte));
    for (const pointer of pointers) arena.free(pointer);
    const large = arena.allocate(6 * megabyte);
    expect(large + 6 * megabyte).toBeLessThanOrEqual(8 * megabyte);
  });

  test('a block cut from a larger one leaves the rest usable', () => {
    const arena = new Arena({ shared, maximumBytes: 8 * megabyte });
    const large = arena.allocate(6 * megabyte);
    const guard = arena.allocate(megabyte);
    arena.free(large);
    const parts = [3, 2, 1].map((size) => arena.allocate(size * megabyte));
    for (const part of parts) expect(part + megabyte).toBeLessThanOrEqual(guard);
    expect(() => arena.allocate(2 * megabyte)).toThrow(SluiceError);
  });

  test('running out of memory names what was asked and what is live', () => {
    const arena = new Arena({ shared, maximumBytes: 4 * megabyte });
    arena.allocate(megabyte);
    let thrown: unknown;
    try {
      arena.allocate(5 * megabyte);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(SluiceError);
    expect((thrown as SluiceError).code).toBe('memory');
    expect((thrown as SluiceError).message).toMatch(/5242880 bytes.*1048576 bytes in use/);
    expect(arena.allocate(megabyte)).toBeGreaterThan(0);
  });

  test('views see the whole memory after it has grown, and what was written stays', () => {
    const arena = new Arena({ shared });
    const first = arena.allocate(64);
    arena.f32[first / 4] = 2.5;
    const second = arena.allocate(100 * megabyte);
    arena.u8[second + 100 * megabyte - 1] = 7;
    arena.i32[second / 4] = -1;
    expect(arena.f32[first / 4]).toBe(2.5);
    expect(arena.u8[second + 100 * megabyte - 1]).toBe(7);
    expect(arena.u8[second]).toBe(255);
  });

  test('a block is freed once', () => {
    const arena = new Arena({ shared });
    const pointer = arena.allocate(10);
    arena.free(pointer);
    expect(() => arena.free(pointer)).toThrow(/freed once/);
  });

  test('statistics count live and peak bytes', () => {
    const arena = new Arena({ shared });
    const first = arena.allocate(1000);
    arena.free(arena.allocate(64_000));
    expect(arena.statistics()).toMatchObject({ liveBytes: 1024, peakBytes: 1024 + 64_000 });
    arena.free(first);
    expect(arena.statistics().liveBytes).toBe(0);
  });
});

test('addresses go past 2 GiB', () => {
  const arena = new Arena({ shared: true });
  const large = arena.allocate(2.5 * 2 ** 30);
  const beyond = arena.allocate(64);
  expect(beyond).toBeGreaterThan(2.5 * 2 ** 30);
  arena.f32[beyond / 4] = 1;
  expect(arena.f32[beyond / 4]).toBe(1);
  arena.free(large);
});

describe('an engine that gives less', () => {
  const { Memory } = WebAssembly;
  afterEach(() => {
    WebAssembly.Memory = Memory;
  });
  const giveAtMost = (pages: number): void => {
    WebAssembly.Memory = class extends Memory {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        if ((descriptor.maximum ?? 0) > pages) throw new RangeError('could not allocate memory');
        super(descriptor);
      }
    };
  };

  test('has a device that says how much it can address', async () => {
    giveAtMost(20_000);
    const device = await openWasm({ threads: 1 });
    expect(device.addressableBytes).toBeLessThanOrEqual(20_000 * 65_536);
    expect(device.addressableBytes).toBeGreaterThan(10_000 * 65_536 - 65_536);
    await device.close();
  });

  test('than the wasm device needs leaves the automatic device to the next', async () => {
    vi.stubEnv('SLUICE_CC', 'none');
    giveAtMost(16);
    await expect(openDevice('wasm')).rejects.toMatchObject({ code: 'device', rule: expect.stringContaining('16 MiB') });
    const device = await openDevice('auto');
    expect(device.name).toBe('reference');
    await device.close();
    vi.unstubAllEnvs();
  });
});
