import { readFileSync } from 'node:fs';
import { afterEach, expect, test, vi } from 'vitest';
import { openableDevices, openDevice } from '../../src/devices/open.js';
import { deviceNames, knownDevices } from '../../src/devices/registry.js';
import { hasCompiler } from '../support/devices.js';

const works = (name: string): boolean => name !== 'native' || hasCompiler;
const fastest = deviceNames.find(works);
afterEach(() => {
  vi.unstubAllGlobals();
  vi.unstubAllEnvs();
});

test.each(openableDevices.filter(works))('the %s device opens by its name', async (name) => {
  const device = await openDevice(name, { threads: 1 });
  expect(device.threads).toBe(1);
  expect(device.name).toBe(name === 'auto' ? fastest : name);
  await device.close();
});

test('the device that is opened without a name is the automatic one', async () => {
  const device = await openDevice();
  expect(device.name).toBe(fastest);
  await device.close();
});

test('the automatic device is the first that works, and says why the fastest does not', async () => {
  vi.stubEnv('SLUICE_CC', 'none');
  for (const expected of ['wasm', 'reference']) {
    const notices: string[] = [];
    const device = await openDevice('auto', { onNotice: (line) => notices.push(line) });
    expect(device.name).toBe(expected);
    expect(notices).toEqual([
      'Not native: the native device needs a C compiler, or kernels that "sluice kernels build" made, received "SLUICE_CC is none".',
    ]);
    await device.close();
    vi.stubGlobal('WebAssembly', { validate: () => false });
  }
});

test('a compiler that is named and does not run is an error of the automatic device, too', async () => {
  vi.stubEnv('SLUICE_CC', '/no/such/compiler');
  await expect(openDevice()).rejects.toMatchObject({ code: 'argument', message: expect.stringContaining('SLUICE_CC') });
});

test.each([0, -1, 1.5, Number.NaN, 1025, 2 ** 31, 2 ** 32 + 1])('%d threads are refused', async (threads) => {
  for (const name of openableDevices) {
    await expect(openDevice(name, { threads })).rejects.toMatchObject({ code: 'argument', received: threads });
  }
});

test('an option that is not known is refused with the nearest', async () => {
  const misspelt: object = { determinstic: true };
  await expect(openDevice('wasm', misspelt)).rejects.toThrow('Did you mean "deterministic"?');
});

test('an unknown device is refused with the nearest name', async () => {
  await expect(openDevice('wsam')).rejects.toThrow('Did you mean "wasm"?');
  await expect(openDevice('toString')).rejects.toMatchObject({ code: 'name' });
});

test("the README's table has the devices that open", () => {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  const [, table = ''] = readme.split('\n## Devices\n');
  expect([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name)).toEqual(deviceNames);
});

const planned = knownDevices.filter((name) => !openableDevices.includes(name));
test.each(planned)('the %s device says that it is not there yet', async (name) => {
  await expect(openDevice(name)).rejects.toMatchObject({ code: 'device' });
});

test.each([0, -1, 1.5, Number.NaN])('%s threads are refused', async (threads) => {
  await expect(openDevice('wasm', { threads })).rejects.toMatchObject({ code: 'argument', received: threads });
});
