import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { checkOptions, type OptionTable } from '../base/options.js';
import type { Device } from './device.js';
import { deviceNames, deviceRow, isNode, knownDevices, type OpenOptions } from './registry.js';
import { checkThreads } from './threads.js';

/** The names that `openDevice` accepts here. */
export const openableDevices: readonly string[] = ['auto', ...deviceNames];

/**
 * Opens a device by its name; `auto` is the fastest that works. Close it when done: its threads keep a process alive.
 * @throws SluiceError `name` for an unknown device (the nearest is suggested), `device` for one that cannot work here,
 * `argument` for a number of threads that is not a whole number from 1 to 1024.
 */
export async function openDevice(name = 'auto', options: OpenOptions = {}): Promise<Device> {
  checkOptions('openDevice', options, openOptions);
  if (name === 'auto') return openFastest(options);
  const row = deviceRow(name);
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
  checkThreads(options.threads);
  return row.open(options);
}

const openOptions = {
  threads: undefined,
  deterministic: false,
  onNotice: undefined,
  except: undefined,
} satisfies OptionTable<OpenOptions>;

/** The first that works, fastest first; where none does, the error of the last. */
async function openFastest({ except, ...options }: OpenOptions): Promise<Device> {
  let failure: unknown;
  for (const name of deviceNames.filter((one) => one !== except)) {
    try {
      return await openDevice(name, options);
    } catch (error) {
      if (!(error instanceof SluiceError && error.code === 'device')) throw error;
      failure = error;
      if (name === 'native' && isNode()) options.onNotice?.(`Not native: ${error.problem}`);
    }
  }
  throw failure;
}
