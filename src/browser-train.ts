/**
 * `sluice/browser-train`: what a page needs to train a model, in one static graph without packages. Open the device in
 * a Worker, by `openWasm`: with cross-origin isolation it uses threads, without it one.
 */
export * from './activations/index.js';
export { type ErrorCode, SluiceError } from './base/errors.js';
export { ByteTokenizer } from './data/byte-tokenizer.js';
export { CharTokenizer } from './data/char-tokenizer.js';
export { splitText } from './data/split.js';
export { MemoryTokens, type TokenArray, type TokenSource } from './data/token-source.js';
export { type Tokenizer, tokenByteLengths } from './data/tokenizer.js';
export type * from './devices/device.js';
export { openWasm } from './devices/wasm/device.js';
export type { WasmRuntimeOptions } from './devices/wasm/runtime.js';
export * from './layers.js';
export * from './models.js';
export * from './scalar.js';
export * from './tensor.js';
export * from './training.js';
