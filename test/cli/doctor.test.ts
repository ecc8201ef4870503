import { afterEach, expect, test, vi } from 'vitest';
import { commandFor } from '../../src/devices/native/inspect.js';
import { hasCompiler } from '../support/devices.js';
import { sluice } from '../support/terminal.js';

test('the doctor finds the devices that work and says why others do not', async () => {
  const { code, json } = await sluice(['doctor', '--json']);
  expect(code).toBe(0);
  const report = json() as { devices: { name: string; works: boolean; description: string }[] };
  expect(report).toMatchObject({
    node: process.version,
    wasm: { simd: true, sharedMemory: true },
    threads: expect.any(Number),
    advice: expect.any(Array),
  });
  const works = Object.fromEntries(report.devices.map((device) => [device.name, device.works]));
  expect(works).toMatchObject({ native: hasCompiler, wasm: true, reference: true, webgpu: false });
  for (const { description } of report.devices) expect(description).not.toBe('');
});

test('the doctor speaks to people too', async () => {
  const { out } = await sluice(['doctor']);
  for (const part of ['Node', 'memory', 'WebAssembly SIMD', 'wasm', 'reference']) expect(out).toContain(part);
  for (const part of ['C compiler', 'BLAS', 'instruction sets', 'cache']) expect(out).toContain(part);
  expect(out.split('\n').filter((line) => /webgpu/.test(line))).toEqual(['Planned for a later version: webgpu.']);
});

afterEach(() => vi.unstubAllEnvs());

test('the doctor says which command adds a compiler that is missing', async () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('SLUICE_CC', undefined);
  const { code, out } = await sluice(['doctor']);
  expect(code).toBe(0);
  expect(out).toContain(commandFor('compiler'));
});

test('of what a variable has switched off, the doctor advises to unset it, and to install nothing', async () => {
  vi.stubEnv('SLUICE_CC', 'none');
  vi.stubEnv('SLUICE_BLAS', 'none');
  const { code, out } = await sluice(['doctor']);
  expect(code).toBe(0);
  expect(out).toContain('SLUICE_CC is none: unset it.');
  expect(out).toContain('SLUICE_BLAS is none: unset it.');
  expect(out).not.toMatch(/apt install|brew install/);
});

test.each([
  ['SLUICE_CC', 'nonsense', /^C compiler +SLUICE_CC names .*nonsense: there is no such program/m],
  ['SLUICE_KERNELS', '/no/where', /^kernels made ahead +SLUICE_KERNELS names .*there is none: \/no\/where/m],
])('a wrong %s is said once, under its own part, and is a failure', async (variable, value, line) => {
  vi.stubEnv(variable, value);
  const { code, out } = await sluice(['doctor']);
  expect(code).toBe(1);
  expect(out).toMatch(line);
  expect(out.match(new RegExp(`${variable} names`, 'g'))).toHaveLength(1);
  expect(out).toMatch(new RegExp(`^Correct ${variable}, or unset it`, 'm'));
});

test.each([
  ['linux', 'apt install gcc libc6-dev', 'apt install libopenblas0'],
  ['darwin', 'xcode-select --install', 'brew install openblas'],
  ['win32', 'wsl --install', 'wsl --install'],
] as const)('on %s there is one command for each part', (platform, compiler, blas) => {
  expect(commandFor('compiler', platform)).toContain(compiler);
  expect(commandFor('BLAS', platform)).toContain(blas);
});
