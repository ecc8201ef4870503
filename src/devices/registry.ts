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

interface Available {
  readonly open: Opener;
}

interface Planned {
  /** What it will be. */
  readonly planned: string;
}

/** Every device by its name, fastest first: types, flags, messages and `sluice doctor` derive from these rows. */
const registry = {
  wasm: { open: openWasm },
  reference: { open: openReference },
  native: { planned: 'a C compiler and BLAS through koffi' },
  webgpu: { planned: 'WGSL, in browsers and in Node' },
} as const satisfies Readonly<Record<string, Available | Planned>>;

type Registry = typeof registry;
/** A device that this version has. */
export type DeviceName = { [Name in keyof Registry]: Registry[Name] extends Available ? Name : never }[keyof Registry];

const rows: Readonly<Record<string, Available | Planned>> = registry;
const isAvailable = (name: string): name is DeviceName => 'open' in (rows[name] ?? {});

/** The devices that this version has, fastest first. */
export const deviceNames: readonly DeviceName[] = Object.keys(registry).filter(isAvailable);

/** Those that it knows, the planned ones too. */
export const knownDevices: readonly string[] = Object.keys(registry);

/** The row of a device, undefined for an unknown name. */
export const deviceRow = (name: string): Available | Planned | undefined =>
  Object.hasOwn(rows, name) ? rows[name] : undefined;
