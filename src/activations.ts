/** `sluice/activations`: the catalogue, how to add to it, and what can be computed of a formula. */
export * from './activations/index.js';
export * from './activations/properties.js';
