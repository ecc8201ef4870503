/** `sluice`: everything that runs in Node and in pages. What reads and writes files is `sluice/node`. */
export * from './activations.js';
export { type ErrorCode, SluiceError } from './base/errors.js';
export * from './data.js';
export * from './devices.js';
export * from './formats.js';
export * from './layers.js';
export * from './models.js';
export * from './scalar.js';
export * from './tensor.js';
export * from './training.js';
