import { describe, expect, test } from 'vitest';
import { openNative } from '../../../src/devices/native/device.js';
import { NativeRuntime } from '../../../src/devices/native/runtime.js';
import { hasCompiler } from '../../support/devices.js';

const source = {
  name: 'test_square',
  code: `void test_square(const double *args, int64_t begin, int64_t end, char *scratch) {
  const float *x = ADDRESS(const float, args[0]);
  float *y = ADDRESS(float, args[1]);
  (void)scratch;
  for (int64_t i = begin; i < end; i++) y[i] = x[i] * x[i];
}`,
};

describe.skipIf(!hasCompiler)('the native runtime (skipped where there is no compiler)', () => {
  test('a kernel runs over all its items, whatever the threads', async () => {
    for (const threads of [1, 2, 4]) {
      const runtime = await NativeRuntime.open({ threads });
      const count = 100_003;
      const values = Float32Array.from({ length: count }, (_, i) => i % 1000);
      const [x, y] = [runtime.arena.allocate(4 * count), runtime.arena.allocate(4 * count)];
      runtime.inTurn(() => runtime.library.copyIn(x, values, 4 * count));
      runtime.launch(
        runtime.kernel('square', () => source),
        Float64Array.of(x, y),
        count,
        128,
      );
      await runtime.settled();
      const result = new Float32Array(count);
      runtime.library.copyOut(result, y, 4 * count);
      expect(result).toEqual(values.map((value) => value * value));
      await runtime.close();
    }
  });

  test('what is done in its turn and throws rejects, and what comes after it is done', async () => {
    const runtime = await NativeRuntime.open({ threads: 1 });
    const failing = runtime.inTurnAsync(() => {
      throw new RangeError('no memory for the result');
    });
    await expect(failing).rejects.toThrow('no memory for the result');
    expect(await runtime.inTurnAsync(() => 3)).toBe(3);
    await runtime.close();
  });

  test('a device says what it was when it is closed', async () => {
    const device = await openNative({ threads: 2 });
    const { threads, description } = device;
    await device.close();
    for (let i = 0; i < 4; i++) await (await openNative({ threads: 1 })).close(); // memory that was given back is used anew
    expect([device.threads, device.description]).toEqual([threads, description]);
  });
});

const step = {
  name: 'test_step',
  code: `void test_step(const double *args, int64_t begin, int64_t end, char *scratch) {
  float *x = ADDRESS(float, args[0]);
  (void)scratch;
  for (int64_t i = begin; i < end; i++) x[i] = (float)(((int64_t)x[i] * 3 + (int64_t)args[1]) % 1009);
}`,
};

test('what is queued runs in the order of the calls, however much waits', async () => {
  const [count, launches] = [1000, 500];
  let expected = Array.from({ length: count }, () => 0);
  for (let i = 0; i < launches; i++) expected = expected.map((value) => (value * 3 + i) % 1009);
  for (const threads of [1, 2, 3]) {
    const runtime = await NativeRuntime.open({ threads });
    const x = runtime.arena.allocate(4 * count);
    const kernel = runtime.kernel('step', () => step);
    await runtime.made();
    const result = new Float32Array(count);
    runtime.inTurn(() => runtime.library.copyIn(x, result, 4 * count));
    for (let i = 0; i < launches; i++) runtime.launch(kernel, Float64Array.of(x, i), count, i % 2 === 0 ? 64 : count);
    runtime.inTurn(() => runtime.library.copyOut(result, x, 4 * count));
    expect([...result]).toEqual(expected);
    await runtime.close();
  }
});
