import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import os from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { type Baked, bakedFile, featuresOf, marchFor } from '../../../src/devices/native/baked.js';
import { featuresOfSysctl, processorFeatures } from '../../../src/devices/native/flags.js';
import { NativeRuntime } from '../../../src/devices/native/runtime.js';
import { hasCompiler } from '../../support/devices.js';

const source = {
  name: 'test_three',
  code: `void test_three(const double *args, int64_t begin, int64_t end, char *scratch) {
  (void)scratch;
  for (int64_t i = begin; i < end; i++) ADDRESS(float, args[0])[i] = 3;
}`,
};

let base = '';
beforeEach(() => {
  base = fs.mkdtempSync(join(os.tmpdir(), 'sluice-test-'));
  vi.stubEnv('XDG_CACHE_HOME', base);
});
afterEach(() => {
  vi.unstubAllEnvs();
  fs.rmSync(base, { recursive: true, force: true });
});

/** Makes the kernel into a folder and leaves no compiler. */
async function bake(folder: string): Promise<void> {
  const runtime = await NativeRuntime.open({ threads: 1, bake: { folder, march: 'native' } });
  runtime.launch(
    runtime.kernel('three', () => source),
    Float64Array.of(0),
    4,
    1,
  );
  expect(await runtime.made()).toBe(1);
  await runtime.close();
  vi.stubEnv('SLUICE_CC', 'none');
}

/** What the kernel writes, in a runtime that finds what it finds. */
async function three(): Promise<number[]> {
  const runtime = await NativeRuntime.open({ threads: 1 });
  try {
    const address = runtime.arena.allocate(16);
    runtime.launch(
      runtime.kernel('three', () => source),
      Float64Array.of(address),
      4,
      4,
    );
    await runtime.settled();
    const result = new Float32Array(4);
    runtime.library.copyOut(result, address, 16);
    return [...result];
  } finally {
    await runtime.close();
  }
}

function change(folder: string, changes: Partial<Baked>): void {
  const path = join(folder, bakedFile);
  fs.writeFileSync(path, JSON.stringify({ ...JSON.parse(fs.readFileSync(path, 'utf8')), ...changes }));
}

test.runIf(process.arch === 'x64')('a processor is told the newest kind of kernels that it runs', () => {
  const v2 = ['pni', 'ssse3', 'sse4_1', 'sse4_2', 'popcnt'];
  const v3 = [...v2, 'avx', 'avx2', 'fma', 'bmi1', 'bmi2', 'f16c', 'abm', 'movbe'];
  const v4 = [...v3, 'avx512f', 'avx512bw', 'avx512cd', 'avx512dq', 'avx512vl'];
  const names = [[], v2, v3, v3.slice(1), v4, v4.slice(0, -1)].map(marchFor);
  expect(names).toEqual(['x86-64', 'x86-64-v2', 'x86-64-v3', 'x86-64', 'x86-64-v4', 'x86-64-v3']);
});

test("the compiler's macros name instruction sets as the system does", () => {
  expect(featuresOf('#define __AVX2__ 1\n#define __FMA__ 1\n#define __linux__ 1\n')).toEqual(['avx2', 'fma']);
});

test('instruction sets that are not known are refused: nobody could tell which processors have them', () => {
  expect(featuresOf('#define __AVX512FP16__ 1\n#define __GFNI__ 1\n')).toEqual(['avx512_fp16', 'gfni']);
  expect(() => featuresOf('#define __AVX2__ 1\n#define __AVX8192F__ 1\n')).toThrow(/received "__AVX8192F__"/);
});

test('what macOS says of a processor is read as Linux names it', () => {
  const intel = 'machdep.cpu.features: FPU SSE3 SSE4.1 AVX1.0 FMA\nmachdep.cpu.leaf7_features: BMI1 AVX2 AVX512F\n';
  expect(featuresOfSysctl(`${intel}machdep.cpu.extfeatures: LZCNT\n`)).toEqual([
    'abm',
    'avx',
    'avx2',
    'avx512f',
    'bmi1',
    'fma',
    'fpu',
    'pni',
    'sse4_1',
  ]);
  const arm = 'hw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_BF16: 0\nhw.optional.arm.FEAT_I8MM: 1\n';
  expect(featuresOfSysctl(arm)).toEqual(['asimd', 'asimddp', 'i8mm']);
  expect(featuresOfSysctl('')).toEqual([]);
});

describe.skipIf(!hasCompiler)('kernels made ahead (skipped where there is no compiler to make them)', () => {
  test('are found in the folder that SLUICE_KERNELS names', async () => {
    const folder = join(base, 'anywhere');
    await bake(folder);
    await expect(three()).rejects.toMatchObject({ code: 'device' });
    vi.stubEnv('SLUICE_KERNELS', folder);
    expect(await three()).toEqual([3, 3, 3, 3]);
  });

  test("are found in the user's cache folder, unless SLUICE_KERNELS is none", async () => {
    await bake(join(base, 'sluice/native/baked-native'));
    expect(await three()).toEqual([3, 3, 3, 3]);
    vi.stubEnv('SLUICE_KERNELS', 'none');
    await expect(three()).rejects.toMatchObject({ code: 'device' });
  });

  test('need what the processor has', async () => {
    await bake(base);
    const { features } = JSON.parse(fs.readFileSync(join(base, bakedFile), 'utf8')) as Baked;
    if (processorFeatures().length > 0) expect(processorFeatures()).toEqual(expect.arrayContaining([...features]));
    vi.stubEnv('SLUICE_KERNELS', base);
    change(base, { features: ['fma', 'avx8192'] });
    await expect(three()).rejects.toMatchObject({
      received: `made for native: this processor lacks avx8192: ${base}`,
      remedy: `Make it anew with --march ${marchFor(processorFeatures())}, or leave the variable out.`,
    });
  });

  test('can be read and run by all, and changed by their maker alone, whatever the umask', async () => {
    const folder = join(base, 'an', 'image');
    const umask = process.umask(0o077);
    await bake(folder).finally(() => process.umask(umask));
    const modeOf = (path: string): string => (fs.statSync(path).mode & 0o777).toString(8);
    expect([join(base, 'an'), folder].map(modeOf)).toEqual(['755', '755']);
    for (const name of fs.readdirSync(folder)) {
      expect([name, modeOf(join(folder, name))]).toEqual([name, name.endsWith('.so') ? '755' : '644']);
    }
  });

  test.skipIf(process.getuid?.() !== 0 || process.platform !== 'linux')(
    'that root made are loaded by another user (skipped where this is not root)',
    async () => {
      const folder = join(base, 'image');
      await bake(folder);
      fs.chmodSync(base, 0o755);
      const dist = new URL('../../../dist/devices/native/', import.meta.url).href;
      const script = `
        const [baked, { LibraryCache }, { digest }, { resource }] = await Promise.all(
          ['baked', 'cache', 'cache-folder', 'resource'].map((name) => import('${dist}' + name + '.js')));
        const [prelude, runtime] = ['prelude.h', 'runtime.c'].map((name) => digest(resource(name)));
        const { default: koffi } = await import('koffi');
        process.setgroups([]); process.setgid(65534); process.setuid(65534);
        const folder = baked.findBaked(prelude);
        const vectorBytes = koffi.load(new LibraryCache(folder).find(runtime)).func('int sluice_vector_bytes()');
        console.log(process.getuid(), vectorBytes() > 0, folder);`;
      const environment = { ...process.env, SLUICE_KERNELS: folder, SLUICE_CC: 'none' };
      const args = ['--input-type=module', '--eval', script];
      expect(execFileSync(process.execPath, args, { env: environment, encoding: 'utf8' })).toBe(
        `65534 true ${folder}\n`,
      );
    },
  );

  test('of an earlier making for another processor are not among those made anew', async () => {
    await bake(base);
    const [first] = fs.readdirSync(base).filter((name) => name.endsWith('.so'));
    vi.stubEnv('SLUICE_CC', undefined);
    const runtime = await NativeRuntime.open({ threads: 1, bake: { folder: base, march: 'native' } });
    expect(runtime.kernel('three', () => source).entry).toBe(0);
    expect(first).toBeDefined();
    await runtime.made();
    await runtime.close();
  });

  test.each<[string, Partial<Baked>, string]>([
    ['another platform', { platform: 'plan9 mips' }, 'it is for plan9 mips'],
    ['another version', { prelude: 'other' }, 'another version'],
    ['other flags', { flags: 'other' }, 'another version'],
  ])('of %s are refused', async (_, changes, why) => {
    await bake(base);
    change(base, changes);
    vi.stubEnv('SLUICE_KERNELS', base);
    await expect(three()).rejects.toThrow(why);
  });

  test.each([
    '',
    '{"march": "nat',
    'null',
    '[]',
    '{}',
    '{"march":1,"platform":"x","features":[],"prelude":"","flags":""}',
  ])('whose description is %o are refused, or passed over', async (text) => {
    const folder = join(base, 'sluice/native/baked-native');
    await bake(folder);
    fs.writeFileSync(join(folder, bakedFile), text);
    await expect(three()).rejects.toMatchObject({ code: 'device' });
    vi.stubEnv('SLUICE_KERNELS', folder);
    await expect(three()).rejects.toMatchObject({ code: 'argument', received: expect.stringContaining(bakedFile) });
  });

  test('for the most capable kind of processor that this is are taken', async () => {
    const cache = join(base, 'sluice/native');
    await bake(join(cache, 'baked-a'));
    const { features } = JSON.parse(fs.readFileSync(join(cache, 'baked-a', bakedFile), 'utf8')) as Baked;
    for (const name of ['baked-b', 'baked-z'])
      fs.cpSync(join(cache, 'baked-a'), join(cache, name), { recursive: true });
    change(join(cache, 'baked-b'), { features: features.slice(1) });
    change(join(cache, 'baked-z'), { features: [...features, 'avx8192'] });
    const runtime = await NativeRuntime.open({ threads: 1 });
    expect(runtime.description).toContain(`kernels made ahead, ${join(cache, 'baked-a')},`);
    await runtime.close();
  });

  test('that SLUICE_KERNELS names wrongly are an error where there is a compiler, too', async () => {
    vi.stubEnv('SLUICE_KERNELS', join(base, 'nowhere'));
    await expect(three()).rejects.toMatchObject({
      code: 'argument',
      message: expect.stringContaining('SLUICE_KERNELS'),
    });
  });

  test('in a folder that others may write to are refused', async () => {
    await bake(base);
    fs.chmodSync(base, 0o777);
    vi.stubEnv('SLUICE_KERNELS', base);
    await expect(three()).rejects.toThrow('others may write to it');
  });

  test.runIf(process.arch === 'x64')(
    'compute in the vectors that they were made for, whatever the processor has',
    async () => {
      const runtime = await NativeRuntime.open({ threads: 1, bake: { folder: join(base, 'v2'), march: 'x86-64-v2' } });
      expect(runtime.vectorBytes).toBe(16);
      await runtime.close();
    },
  );

  test('that lack one say which, and where', async () => {
    await bake(base);
    vi.stubEnv('SLUICE_KERNELS', base);
    const runtime = await NativeRuntime.open({ threads: 1 });
    const other = { name: 'test_other', code: source.code.replaceAll('three', 'other') };
    runtime.launch(
      runtime.kernel('other', () => other),
      Float64Array.of(0),
      1,
      1,
    );
    await expect(runtime.settled()).rejects.toThrow(`test_other is not in ${base}`);
    await runtime.close();
  });
});
