/** `sluice/tensor`: tensors, their gradients and their memory, and the keys of random ones. */
export { type RandomKey, randomKey, type Stream } from './base/random.js';
export * from './tensor/index.js';
