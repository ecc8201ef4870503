import { describe, expect, test } from 'vitest';
import { randomKey, randomNormal, randomUniform } from '../../../src/base/random.js';
import { randomSource } from '../../../src/devices/native/random.js';
import { NativeRuntime } from '../../../src/devices/native/runtime.js';
import { hasCompiler } from '../../support/devices.js';

const key = randomKey(7, 'noise');
const count = 2048;

describe.skipIf(!hasCompiler)('random numbers on the native device (skipped where there is no compiler)', () => {
  test.each([
    0,
    2 ** 32,
    3 * 2 ** 33,
  ])('from number %d on are those of the counter, however high it is', async (from) => {
    const runtime = await NativeRuntime.open({ threads: 1 });
    for (const [normal, draw] of [randomUniform, randomNormal].entries()) {
      // The kernel with its items counted from elsewhere: a tensor of so many numbers has no room.
      const far = `test_far_${normal}`;
      const { code } = randomSource(far, normal === 0 ? 0 : 1);
      const name = `${far}_from_${from}`;
      const shift = `void ${name}(const double *args, int64_t begin, int64_t end, char *scratch) {
        ${far}(args, begin + (int64_t)args[4], end + (int64_t)args[4], scratch);
      }`;
      const output = runtime.arena.allocate(4 * count);
      const words = Float64Array.of(output - 4 * from, from + count, key.k0, key.k1, from / 1024);
      const kernel = runtime.kernel(name, () => ({ name, code: `${code}\n${shift}` }));
      runtime.launch(kernel, words, count / 1024, 1);
      await runtime.settled();
      const got = new Float32Array(count);
      runtime.library.copyOut(got, output, got.byteLength);
      for (const index of [0, 1, 2, 63, 64, 1023, 1024, count - 1]) {
        expect(got[index]).toBeCloseTo(draw(key, from + index), normal === 0 ? 12 : 5);
      }
    }
    await runtime.close();
  });
});
