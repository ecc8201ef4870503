import { SluiceError } from '../base/errors.js';
import { doctorsAdvice, inspectNative, type PartReport } from '../devices/native/inspect.js';
import { openDevice } from '../devices/open.js';
import { deviceRow, knownDevices } from '../devices/registry.js';
import { detectFeatures } from '../devices/wasm/features.js';
import { inspectProcessor, type ProcessorReport } from './processor.js';

export interface DeviceReport {
  readonly name: string;
  readonly works: boolean;
  /** A later version is to have it. */
  readonly planned: boolean;
  /** What it found, or why it does not work. */
  readonly description: string;
  /** What to do where it does not work. */
  readonly remedy?: string;
}

export interface MachineReport extends ProcessorReport {
  readonly native: readonly PartReport[];
  readonly wasm: { readonly simd: boolean; readonly relaxedSimd: boolean; readonly sharedMemory: boolean };
  readonly devices: readonly DeviceReport[];
  /** What is missing and what to do about it; empty if nothing is. */
  readonly advice: readonly string[];
}

async function tryDevice(name: string): Promise<DeviceReport> {
  const row = deviceRow(name);
  if (row !== undefined && 'planned' in row) return { name, works: false, planned: true, description: row.planned };
  try {
    const device = await openDevice(name);
    const { description } = device;
    await device.close();
    return { name, works: true, planned: false, description };
  } catch (error) {
    const failed = { name, works: false, planned: false };
    if (!(error instanceof SluiceError)) return { ...failed, description: String(error) };
    const { problem, remedy } = error;
    return { ...failed, description: problem, ...(remedy === undefined ? {} : { remedy }) };
  }
}

/** Looks at this machine, in Node: what the devices found, and what would make them faster. */
export async function inspectMachine(): Promise<MachineReport> {
  const processor = await inspectProcessor();
  // Before any device is opened, since opening one may switch relaxed SIMD on for the process.
  const before = detectFeatures();
  const devices: DeviceReport[] = [];
  for (const name of knownDevices) devices.push(await tryDevice(name));
  const { simd, relaxedSimd, threads: sharedMemory } = detectFeatures();
  const native = await inspectNative();
  const ofParts = native.flatMap((part) => (part.found || part.advice === '' ? [] : part.advice));
  // What to do about the native device is said of its parts.
  const ofDevices = devices.flatMap(({ name, remedy = '' }) =>
    remedy === '' || (name === 'native' && ofParts.length > 0) ? [] : doctorsAdvice(remedy),
  );
  const advice = [...new Set([...ofParts, ...ofDevices])];
  if (!simd) advice.push('WebAssembly SIMD is missing, which the wasm device needs: use Node 20.19 or later.');
  if (simd && !relaxedSimd) advice.push('Relaxed SIMD is missing: a newer Node multiplies matrices faster.');
  if (relaxedSimd && !before.relaxedSimd) {
    advice.push('Relaxed SIMD is behind a flag in this Node, which Sluice sets by itself; a newer Node has it faster.');
  }
  if (!sharedMemory) advice.push('Shared memory is missing: the wasm device runs on one thread.');
  if (processor.threads === 1)
    advice.push('One thread is all this machine (or its container) gives: training scales with more.');
  const faults = native.flatMap((part) => (part.found ? [] : part.description));
  return {
    ...processor,
    native,
    wasm: { simd, relaxedSimd, sharedMemory },
    // What is said of a part is said there alone.
    devices: devices.map((device) =>
      faults.includes(device.description) ? { ...device, description: 'a part of it is wrong, see above' } : device,
    ),
    advice,
  };
}
