/** `sluice/devices`: what computes. */
export type * from './devices/device.js';
export { type OpenOptions, openableDevices, openDevice } from './devices/open.js';
export { openWasm } from './devices/wasm/device.js';
export type { WasmRuntimeOptions } from './devices/wasm/runtime.js';
