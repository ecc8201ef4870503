import { SluiceError } from '../base/errors.js';
import type { Device } from './device.js';

export interface OpenOptions {
  /** Threads that compute, the calling one included; by default one for each the machine runs at once. */
  readonly threads?: number;
  /** The same bits for any number of threads, and on one device whatever the compiler and the BLAS. */
  readonly deterministic?: boolean;
  /** Hears what a user should know of what was opened, a line at a time: why the fastest device was not taken. */
  readonly onNotice?: (line: string) => void;
}

type Opener = (options: OpenOptions) => Promise<Device>;

/** The path is no literal: bundlers of pages would trip over the modules of Node that it imports. */
const nativeModule = './native/device.js';
const openNative: Opener = async (options) => {
  const { openNative } = await importNative();
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

async function importNative(): Promise<typeof import('./native/device.js')> {
  const remedy = 'Use device "wasm".';
  if (!isNode()) throw new SluiceError('device', { rule: 'the native device runs in Node', remedy });
  if (process.platform === 'win32') {
    const rule = 'the native device runs on Linux and macOS, and on Windows in WSL ("wsl --install")';
    throw new SluiceError('device', { rule, remedy });
  }
  try {
    return (await import(
      /* @vite-ignore */ /* webpackIgnore: true */ nativeModule
    )) as typeof import('./native/device.js');
  } catch (cause) {
    const rule = 'the native device is loaded from its own files, which bundles leave behind';
    throw new SluiceError('device', { rule, remedy: `Keep sluice out of the bundle. ${remedy}`, cause });
  }
}

const rows: Readonly<Record<string, Available | Planned>> = registry;
const isAvailable = (name: string): name is DeviceName => 'open' in (rows[name] ?? {});

/** The devices that this version has, fastest first. */
export const deviceNames: readonly DeviceName[] = Object.keys(registry).filter(isAvailable);

/** Those that it knows, the planned ones too. */
export const knownDevices: readonly string[] = Object.keys(registry);

/** The row of a device, undefined for an unknown name. */
export const deviceRow = (name: string): Available | Planned | undefined =>
  Object.hasOwn(rows, name) ? rows[name] : undefined;
