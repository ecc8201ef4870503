import { expect, test } from 'vitest';
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
  expect(works).toMatchObject({ wasm: true, reference: true, native: false, webgpu: false });
  for (const { description } of report.devices) expect(description).not.toBe('');
});

test('the doctor speaks to people too', async () => {
  const { out } = await sluice(['doctor']);
  for (const part of ['Node', 'memory', 'WebAssembly SIMD', 'wasm', 'reference']) expect(out).toContain(part);
  const lines = out.split('\n').filter((line) => /native|webgpu/.test(line));
  expect(lines).toEqual(['Planned for a later version: native, webgpu.']);
});
