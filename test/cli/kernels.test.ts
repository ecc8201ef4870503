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
    'a task that draws its examples trains with them; where one is missing auto moves the whole run to wasm, with a line',
    async () => {
      vi.stubEnv('SLUICE_CC', 'none');
      vi.stubEnv('SLUICE_KERNELS', out);
      const rings = await sluice([
        'train',
        '--task',
        'rings',
        '--steps',
        '3',
        '--device',
        'native',
        '--out',
        join(base, 'rings'),
      ]);
      expect(rings).toMatchObject({ code: 0 });
      const custom = ['train', '--task', 'rings', '--steps', '3', '--activation', 'x*tanh(softplus(x))*3'];
      const moved = await sluice([...custom, '--device', 'auto', '--out', join(base, 'custom')]);
      expect(moved).toMatchObject({ code: 0 });
      expect((moved.out + moved.error).match(/Not native: .*one is missing, received ".*formula with/g)).toHaveLength(
        1,
      );
      const named = await sluice([...custom, '--device', 'native', '--out', join(base, 'named')]);
      expect(named).toMatchObject({ code: 1 });
      expect(fs.existsSync(join(base, 'named'))).toBe(false);
    },
    3 * minutes,
  );

  test('a formula that has no kernel is evaluated on wasm by auto, and an error by name', async () => {
    vi.stubEnv('SLUICE_CC', 'none');
    vi.stubEnv('SLUICE_KERNELS', out);
    const evaluate = ['activations', 'eval', 'x*tanh(softplus(x))*3', '--x=1,2', '--json'];
    const moved = await sluice(evaluate);
    expect(moved).toMatchObject({ code: 0 });
    expect(moved.json()).toMatchObject({ device: 'wasm' });
    expect(moved.error).toMatch(/^Not native: .*formula with.*\n$/);
    expect(await sluice([...evaluate, '--device', 'native'])).toMatchObject({ code: 1 });
  });

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
  expect(error).toBe('error: kernels are made ahead by a C compiler, received "SLUICE_CC is none". Unset SLUICE_CC.\n');
});

test('without --march one is asked for, with examples', async () => {
  const { code, error } = await sluice(['kernels', 'build']);
  expect(code).toBe(2);
  expect(error).toContain('Give --march native for this one');
});
