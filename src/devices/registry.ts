import { SluiceError } from '../base/errors.js';
import type { Device } from './device.js';

export interface OpenOptions {
  /** Threads that compute, the calling one included; by default one for each the machine runs at once. */
  readonly threads?: number;
  /** The same bits on every machine and for any number of threads. */
  readonly deterministic?: boolean;
  /** Hears what a user should know of what was opened, a line at a time: why the fastest device was not taken. */
  readonly onNotice?: (line: string) => void;
}

type Opener = (options: OpenOptions) => Promise<Device>;

/** The path is no literal: bundlers of pages would trip over the modules of Node that it imports. */
const nativeModule = './native/device.js';
const openNative: Opener = async (options) => {
  if (!isNode()) throw needsNode();
  const { openNative } = (await import(/* @vite-ignore */ nativeModule)) as typeof import('./native/device.js');
  return openNative(options);
};
const openWasm: Opener = async (options) => (await import('./wasm/device.js')).openWasm(options);
const openReference: Opener = async () => (await import('./reference/index.js')).openReference();

/** A page has no compiler, and nobody there expects one. */
export const isNode = (): boolean => typeof globalThis.process?.versions?.node === 'string';

interface Available {
  readonly open: Opener;
}

interface Planned {
  /** What it will be. */
  readonly planned: string;
}

/** Every device by its name, fastest first: types, flags, messages and `sluice doctor` derive from these rows. */
const registry = {
  native: { open: openNative },
  wasm: { open: openWasm },
  reference: { open: openReference },
  webgpu: { planned: 'WGSL, in browsers and in Node' },
} as const satisfies Readonly<Record<string, Available | Planned>>;

type Registry = typeof registry;
/** A device that this version has. */
export type DeviceName = { [Name in keyof Registry]: Registry[Name] extends Available ? Name : never }[keyof Registry];

const needsNode = (): SluiceError =>
  new SluiceError('device', { rule: 'the native device runs in Node', remedy: 'Use device "wasm" in pages.' });

const rows: Readonly<Record<string, Available | Planned>> = registry;
const isAvailable = (name: string): name is DeviceName => 'open' in (rows[name] ?? {});

/** The devices that this version has, fastest first. */
export const deviceNames: readonly DeviceName[] = Object.keys(registry).filter(isAvailable);

/** Those that it knows, the planned ones too. */
export const knownDevices: readonly string[] = Object.keys(registry);

/** The row of a device, undefined for an unknown name. */
export const deviceRow = (name: string): Available | Planned | undefined =>
  Object.hasOwn(rows, name) ? rows[name] : undefined;
