import * as fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { catalogue } from '../../src/activations/catalogue.js';
import { hasCompiler } from '../support/devices.js';
import { sluice } from '../support/terminal.js';

const base = fs.mkdtempSync(join(os.tmpdir(), 'sluice-test-'));
const out = join(base, 'kernels');
afterAll(() => fs.rmSync(base, { recursive: true, force: true }));
beforeEach(() => vi.stubEnv('XDG_CACHE_HOME', join(base, 'cache')));
afterEach(() => vi.unstubAllEnvs());

const minutes = 60_000;

describe.skipIf(!hasCompiler)('sluice kernels build (skipped where there is no C compiler)', () => {
  test(
    'makes the kernels of the presets and the catalogue',
    async () => {
      const { code, json } = await sluice(['kernels', 'build', '--march', 'native', '--out', out, '--json']);
      expect(code).toBe(0);
      expect(json()).toMatchObject({ march: 'native', folder: out, kernels: expect.any(Number) });
    },
    5 * minutes,
  );

  test(
    'with them, the demo trains, is evaluated and speaks without a compiler',
    async () => {
      vi.stubEnv('SLUICE_CC', 'none');
      vi.stubEnv('SLUICE_KERNELS', out);
      const [run, native] = [join(base, 'run'), ['--device', 'native']];
      const settings = ['--preset', 'demo', '--steps', '2', '--eval-every', '1', '--sample-every', '1'];
      const trained = await sluice(['train', ...settings, '--out', run, ...native]);
      expect(trained).toMatchObject({ code: 0 });
      expect(await sluice(['evaluate', run, ...native])).toMatchObject({ code: 0 });
      for (const prompt of ['', 'The whale', 'It is a way I have of driving off the spleen']) {
        const args = ['generate', run, '--prompt', prompt, '--max-tokens', '4', ...native];
        expect(await sluice(args)).toMatchObject({ code: 0 });
      }
    },
    3 * minutes,
  );

  test(
    'with them, the whole catalogue is evaluated without a compiler',
    async () => {
      vi.stubEnv('SLUICE_CC', 'none');
      vi.stubEnv('SLUICE_KERNELS', out);
      for (const { name, kind, inputs } of catalogue()) {
        const numbers = inputs.map((input) => `--${input}=-1,0,2`);
        const ran = await sluice(['activations', 'eval', name, ...numbers, '--device', 'native', '--json']);
        expect({ name, kind, code: ran.code, error: ran.error }).toEqual({ name, kind, code: 0, error: '' });
      }
    },
    3 * minutes,
  );

  test('a processor that the compiler does not know is an error with what it says', async () => {
    const { code, error } = await sluice(['kernels', 'build', '--march', 'abacus', '--out', join(base, 'other')]);
    expect(code).toBe(1);
    expect(error).toMatch(/abacus/);
  });
});

test('without a compiler nothing can be made', async () => {
  vi.stubEnv('SLUICE_CC', 'none');
  const { code, error } = await sluice(['kernels', 'build', '--march', 'native', '--out', out]);
  expect(code).toBe(1);
  expect(error).toContain('needs a C compiler');
});
