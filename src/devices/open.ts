import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import type { Device } from './device.js';

export interface OpenOptions {
  /** Threads that compute, the calling one included; by default one for each the machine runs at once. */
  readonly threads?: number;
  /** The same bits on every machine and for any number of threads. */
  readonly deterministic?: boolean;
}

type Opener = (options: OpenOptions) => Promise<Device>;

const openWasm: Opener = async (options) => (await import('./wasm/device.js')).openWasm(options);
const openReference: Opener = async () => (await import('./reference/index.js')).openReference();

/** What each name opens; a text says why it cannot. */
const openers: Readonly<Record<string, Opener | string>> = {
  auto: openWasm,
  wasm: openWasm,
  reference: openReference,
  native: 'It is planned: a C compiler and BLAS through koffi.',
  webgpu: 'It is planned: WGSL, in browsers and in Node.',
};

/** The names that `openDevice` accepts here. */
export const openableDevices: readonly string[] = Object.keys(openers).filter(
  (name) => typeof openers[name] !== 'string',
);

/**
 * Opens a device by its name; `auto` is the fastest that works. Close it when done: its threads keep a process alive.
 * @throws SluiceError `name` for an unknown device (the nearest is suggested), `device` for one that cannot work here,
 * `argument` for a number of threads that is not a whole number from 1 on.
 */
export async function openDevice(name = 'auto', options: OpenOptions = {}): Promise<Device> {
  const opener = Object.hasOwn(openers, name) ? openers[name] : undefined;
  const choices = `Choose one of ${openableDevices.join(', ')}.`;
  if (opener === undefined) {
    throw new SluiceError('name', {
      rule: 'a device is one that Sluice knows',
      received: name,
      remedy: didYouMean(name, Object.keys(openers), choices),
    });
  }
  if (typeof opener === 'string') {
    throw new SluiceError('device', {
      rule: `the ${name} device is not available in this version`,
      remedy: `${opener} ${choices}`,
    });
  }
  const { threads } = options;
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1)) {
    throw new SluiceError('argument', { rule: 'threads is a whole number from 1 on', received: threads });
  }
  return opener(options);
}
