import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SluiceError } from '../../../src/base/errors.js';
import { Arena } from '../../../src/devices/wasm/arena.js';
import type { FunctionBuilder } from '../../../src/devices/wasm/assembler.js';
import { ForkJoinPool } from '../../../src/devices/wasm/pool.js';
import { floatBits, WasmRuntime } from '../../../src/devices/wasm/runtime.js';

function kernel(runtime: WasmRuntime, body: (f: FunctionBuilder) => void): number {
  const module = runtime.module();
  body(module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] }));
  return runtime.compile(module.bytes());
}

/** Adds 1 to 32-bit integer number i of the array at argument 0, for every work item i, atomically. */
function countKernel(runtime: WasmRuntime): number {
  return kernel(runtime, (f) => {
    const item = f.local('i32');
    f.forRange(item, f.parameter(1, 'i32'), f.parameter(2, 'i32'), 1, () => {
      f.get(f.parameter(0, 'i32'));
      f.load('i32.load');
      f.get(item);
      f.i32(4);
      f.op('i32.mul', 'i32.add');
      f.i32(1);
      f.atomic('i32.atomic.rmw.add');
      f.op('drop');
    });
  });
}

describe.each([1, 2, 5])('a runtime of %i threads', (threads) => {
  let runtime: WasmRuntime;
  beforeAll(async () => {
    runtime = await WasmRuntime.create({ threads });
  });
  afterAll(() => runtime.close());

  test('has the threads it was asked for', () => {
    expect(runtime.threads).toBe(threads);
  });

  test('every work item is done exactly once, for any count and grain, in every one of many launches', () => {
    const id = countKernel(runtime);
    const pointer = runtime.arena.allocate(4 * 1000);
    runtime.arena.i32.fill(0, pointer / 4, pointer / 4 + 1000);
    let launches = 0;
    for (const grain of [1, 3, 64, 999, 1000, 5000])
      for (let turn = 0; turn < 100; turn++, launches++) runtime.launch(id, [pointer], 1000, grain);
    runtime.launch(id, [pointer], 0, 1);
    const counts = runtime.arena.i32.subarray(pointer / 4, pointer / 4 + 1000);
    expect(new Set(counts)).toEqual(new Set([launches]));
  });

  test('a launch finds sleeping workers as well as waking ones', async () => {
    const id = countKernel(runtime);
    const pointer = runtime.arena.allocate(4 * 100);
    runtime.arena.i32.fill(0, pointer / 4, pointer / 4 + 100);
    for (let turn = 0; turn < 10; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      runtime.launch(id, [pointer], 100, 1);
    }
    expect(new Set(runtime.arena.i32.subarray(pointer / 4, pointer / 4 + 100))).toEqual(new Set([10]));
  });

  test('arguments arrive as integers and as float bits', () => {
    const id = kernel(runtime, (f) => {
      f.get(f.parameter(0, 'i32'));
      f.load('i32.load');
      f.get(f.parameter(0, 'i32'));
      f.load('f32.load', 4);
      f.store('f32.store');
    });
    const pointer = runtime.arena.allocate(4);
    runtime.launch(id, [pointer, floatBits(-1.25)], 1, 1);
    expect(runtime.arena.f32[pointer / 4]).toBe(-1.25);
  });

  test('threads have scratch memory of their own, which grows on demand', () => {
    const id = kernel(runtime, (f) => {
      const item = f.local('i32');
      f.forRange(item, f.parameter(1, 'i32'), f.parameter(2, 'i32'), 1, () => {
        f.get(f.parameter(3, 'i32'), item); // write the item to the far end of the scratch, then read it back
        f.store('i32.store', 65_532);
        f.get(f.parameter(0, 'i32'));
        f.load('i32.load');
        f.get(item);
        f.i32(4);
        f.op('i32.mul', 'i32.add');
        f.get(f.parameter(3, 'i32'));
        f.load('i32.load', 65_532);
        f.store('i32.store');
      });
    });
    const pointer = runtime.arena.allocate(4 * 5000);
    runtime.launch(id, [pointer], 5000, 1, { scratchBytes: 65_536 });
    const got = runtime.arena.i32.subarray(pointer / 4, pointer / 4 + 5000);
    expect(got.every((value, index) => value === index)).toBe(true);
    runtime.launch(id, [pointer], 5000, 1, { scratchBytes: 1_000_000 });
    expect(got.every((value, index) => value === index)).toBe(true);
  });

  test('kernels compiled after the memory has grown run in every thread, past any table size', () => {
    runtime.arena.allocate(200 * 2 ** 20);
    const pointer = runtime.arena.allocate(4 * 64);
    runtime.arena.i32.fill(0, pointer / 4, pointer / 4 + 64);
    for (let turn = 0; turn < 150; turn++) runtime.launch(countKernel(runtime), [pointer], 64, 1);
    expect(new Set(runtime.arena.i32.subarray(pointer / 4, pointer / 4 + 64))).toEqual(new Set([150]));
  });

  test('a trap in any thread is an error of the launch, and the next launch works', () => {
    const trap = kernel(runtime, (f) => {
      f.get(f.parameter(2, 'i32'));
      f.i32(50);
      f.op('i32.gt_s');
      f.if(() => f.op('unreachable'));
    });
    for (let turn = 0; turn < 20; turn++) expect(() => runtime.launch(trap, [], 100, 1)).toThrow(/unreachable/);
    const id = countKernel(runtime);
    const pointer = runtime.arena.allocate(4 * 64);
    runtime.arena.i32.fill(0, pointer / 4, pointer / 4 + 64);
    runtime.launch(id, [pointer], 64, 1);
    expect(new Set(runtime.arena.i32.subarray(pointer / 4, pointer / 4 + 64))).toEqual(new Set([1]));
  });

  test('an unknown kernel is refused', () => {
    expect(() => runtime.launch(100_000, [], 1, 1)).toThrow(SluiceError);
  });
});

test('a trap that only workers meet reaches the caller', async () => {
  const runtime = await WasmRuntime.create({ threads: 2 });
  const slow = kernel(runtime, (f) => {
    // The caller's scratch is the first one: every other thread traps; the caller works until one has.
    f.get(f.parameter(3, 'i32'), f.parameter(0, 'i32'));
    f.load('i32.load');
    f.op('i32.ne');
    f.if(() => f.op('unreachable'));
    const turn = f.local('i32');
    f.forRange(turn, 0, 1000, 1, () => {});
  });
  runtime.launch(slow, [0], 0, 1, { scratchBytes: 64 });
  const probe = kernel(runtime, (f) => {
    f.get(f.parameter(0, 'i32'));
    f.load('i32.load');
    f.get(f.parameter(3, 'i32'));
    f.store('i32.store');
  });
  const pointer = runtime.arena.allocate(4);
  runtime.launch(probe, [pointer], 1, 1);
  const own = runtime.arena.i32[pointer / 4] ?? 0;
  expect(() => runtime.launch(slow, [own], 10_000_000, 1)).toThrow(/worker.*unreachable/s);
  await runtime.close();
});

test('workers that cannot start are left out', async () => {
  const arena = new Arena({ shared: false }); // memory that is not shared cannot be sent to a worker
  const pool = await ForkJoinPool.create(arena, 3);
  expect(pool.threads).toBe(1);
  await pool.close();
});

test('a kernel is emitted once for its name', async () => {
  const runtime = await WasmRuntime.create({ threads: 1 });
  let emitted = 0;
  const emit = (module: ReturnType<WasmRuntime['module']>) => {
    emitted += 1;
    module.function({ name: 'run', parameters: ['i32', 'i32', 'i32', 'i32'] });
  };
  expect(runtime.kernel('one', emit)).toBe(runtime.kernel('one', emit));
  expect(emitted).toBe(1);
});

test('the workspace keeps its place until more is asked for', async () => {
  const runtime = await WasmRuntime.create({ threads: 1 });
  const first = runtime.workspace(1000);
  expect(runtime.workspace(10)).toBe(first);
  const before = runtime.arena.statistics().liveBytes;
  runtime.workspace(100_000);
  expect(runtime.arena.statistics().liveBytes - before).toBeLessThan(100_000);
});

test('a closed runtime refuses launches', async () => {
  const runtime = await WasmRuntime.create({ threads: 2 });
  const id = countKernel(runtime);
  await runtime.close();
  expect(() => runtime.launch(id, [], 1, 1)).toThrow(expect.objectContaining({ code: 'device' }));
});

test('an impossible number of threads is refused', async () => {
  await expect(WasmRuntime.create({ threads: 0 })).rejects.toThrow(/threads/);
  await expect(WasmRuntime.create({ threads: 1.5 })).rejects.toThrow(/threads/);
});

test('a deterministic runtime does without relaxed SIMD', async () => {
  const runtime = await WasmRuntime.create({ threads: 1, deterministic: true });
  expect(runtime.relaxed).toBe(false);
});

test('an open runtime does not keep a process alive', () => {
  const entry = new URL('../../../dist/devices/wasm/runtime.js', import.meta.url).href;
  const script = `import { WasmRuntime } from '${entry}'; const r = await WasmRuntime.create({ threads: 2 }); console.log(r.threads);`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 20_000 });
  expect(output.toString().trim()).toBe('2');
});
