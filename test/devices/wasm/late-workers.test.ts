import { expect, test, vi } from 'vitest';
import { openWasm } from '../../../src/devices/wasm/device.js';
import type { WorkerStart } from '../../../src/devices/wasm/platform.js';
import { WasmRuntime } from '../../../src/devices/wasm/runtime.js';

vi.mock('../../../src/devices/wasm/platform.js', async (original) => {
  const platform = await original<typeof import('../../../src/devices/wasm/platform.js')>();
  const startWorker = async (start: WorkerStart) => {
    if (start.thread === 1) throw new Error('out of threads');
    return platform.startWorker(start);
  };
  return { ...platform, startWorker };
});

test('a worker has scratch memory of its own where one before it could not start', async () => {
  const runtime = await WasmRuntime.create({ threads: 3 });
  expect(runtime.threads).toBe(2);
  const [items, scratchBytes] = [4096, 256];
  const module = runtime.module();
  const f = module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  const [item, turn] = [f.local('i32'), f.local('i32')];
  f.forRange(item, f.parameter(1, 'i32'), f.parameter(2, 'i32'), 1, () => {
    f.forRange(turn, 0, 2000, 1, () => {}); // long enough for the other thread to join
    f.get(f.parameter(0, 'i32'));
    f.load('i32.load');
    f.get(item);
    f.i32(4);
    f.op('i32.mul', 'i32.add');
    f.get(f.parameter(3, 'i32'));
    f.store('i32.store');
  });
  const kernel = runtime.compile(module.bytes());
  const addresses = runtime.arena.allocate(4 * items);
  const seen = new Set<number>();
  // On a busy machine one thread may have done all before the other wakes.
  for (let turns = 0; turns < 200 && seen.size < 2; turns++) {
    runtime.launch(kernel, [addresses], items, 1, { scratchBytes });
    for (const place of runtime.arena.i32.subarray(addresses / 4, addresses / 4 + items)) seen.add(place);
  }
  const behind = runtime.arena.allocate(64);
  await runtime.close();
  expect(seen.size).toBe(2);
  expect(Math.max(...seen) + scratchBytes).toBeLessThanOrEqual(behind);
});

test('a device says that threads are missing', async () => {
  const device = await openWasm({ threads: 3 });
  expect(device.description).toMatch(/2 threads \(3 asked for: the others could not start\)/);
  await device.close();
});
