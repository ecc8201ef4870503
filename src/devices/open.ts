import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { Device } from './device.js';
import { deviceNames, deviceRow, knownDevices, type OpenOptions } from './registry.js';

/** The names that `openDevice` accepts here. */
export const openableDevices: readonly string[] = ['auto', ...deviceNames];

/**
 * Opens a device by its name; `auto` is the fastest that works. Close it when done: its threads keep a process alive.
 * @throws SluiceError `name` for an unknown device (the nearest is suggested), `device` for one that cannot work here,
 * `argument` for a number of threads that is not a whole number from 1 on.
 */
export async function openDevice(name = 'auto', options: OpenOptions = {}): Promise<Device> {
  const row = deviceRow(name === 'auto' ? (deviceNames[0] ?? name) : name);
  const choices = `Choose one of ${openableDevices.join(', ')}.`;
  if (row === undefined) {
    throw new SluiceError('name', {
      rule: 'a device is one that Sluice knows',
      received: name,
      remedy: didYouMean(name, ['auto', ...knownDevices], choices),
    });
  }
  if ('planned' in row) {
    throw new SluiceError('device', {
      rule: `the ${name} device is not available in this version`,
      remedy: `It is planned: ${row.planned}. ${choices}`,
    });
  }
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    const remedy = 'Leave it out for one thread for each core.';
    throw new SluiceError('argument', { rule: 'threads is a whole number from 1 on', received: threads, remedy });
  }
  return row.open(options);
}
