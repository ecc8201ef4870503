import { readFileSync } from 'node:fs';
import { expect, test, vi } from 'vitest';
import { openableDevices, openDevice } from '../../src/devices/open.js';
import { deviceNames, knownDevices } from '../../src/devices/registry.js';

test.each(openableDevices)('the %s device opens by its name', async (name) => {
  const device = await openDevice(name, { threads: 1 });
  expect(device.threads).toBe(1);
  expect(device.name).toBe(name === 'auto' ? 'wasm' : name);
  await device.close();
});

test('the device that is opened without a name is the automatic one', async () => {
  const device = await openDevice();
  expect(device.name).toBe('wasm');
  await device.close();
});

test('the automatic device is the first that works', async () => {
  vi.stubGlobal('WebAssembly', { validate: () => false });
  const device = await openDevice().finally(() => vi.unstubAllGlobals());
  expect(device.name).toBe('reference');
  await device.close();
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
