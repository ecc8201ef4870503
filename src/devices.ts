/** `sluice/devices`: what computes. */
export type * from './devices/device.js';
export { openableDevices, openDevice } from './devices/open.js';
export { deviceNames, type OpenOptions } from './devices/registry.js';
export { openWasm } from './devices/wasm/device.js';
export type { WasmRuntimeOptions } from './devices/wasm/runtime.js';
