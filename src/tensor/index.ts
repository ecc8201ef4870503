export { noGrad } from './autograd.js';
export {
  arange,
  type CreateOptions,
  empty,
  full,
  type Nested,
  ones,
  type RandnOptions,
  type RandOptions,
  rand,
  randn,
  tensor,
  zeros,
} from './create.js';
export { type GradcheckOptions, type GradcheckReport, type GradientPair, gradcheck } from './gradcheck.js';
export { endStep, type Leak, leakReport, memory, openScope, scope, type TensorMemory, traceTensors } from './memory.js';
export { type AttentionOptions, attention } from './operations/attention.js';
export { concat, stack } from './operations/copies.js';
export type { ScalarFunction } from './operations/elementwise.js';
export {
  type MapOptions,
  type Mapped,
  mapInto,
  mapJoined,
  mapTensors,
  type Scalars,
  type Tensors,
} from './operations/map.js';
export type { ReduceOptions } from './operations/reductions.js';
export { type RowTensors, rowTensors } from './operations/rows.js';
export { internal, type Scope } from './scopes.js';
export type { Shape } from './shape.js';
export { type BackwardOptions, Tensor } from './tensor.js';
