import { SluiceError, show } from '../base/errors.js';
import { checkChoice, completeOptions, type OptionTable } from '../base/options.js';
import type { RandomKey } from '../base/random.js';
import { type Device, type StorageType, storageTypes } from '../devices/device.js';
import { variable } from '../scalar/expression.js';
import { fill } from './compute.js';
import { mapInto } from './operations/map.js';
import { checkShape, packed, type Shape, sizeOf } from './shape.js';
import { Storage, trackerOf } from './storage.js';
import { Tensor } from './tensor.js';

export interface CreateOptions {
  /** 'float32' by default; 'int32' for indices and targets. */
  readonly dtype?: StorageType;
  /** Whether backward() collects its gradient; false by default. */
  readonly requiresGrad?: boolean;
}

const createDefaults = { dtype: undefined, requiresGrad: false } satisfies OptionTable<CreateOptions>;

/** Numbers, or arrays of equal length of them, nested. */
export type Nested = number | readonly Nested[];

function make(device: Device, operation: string, shape: Shape, dtype: StorageType = 'float32'): Tensor {
  checkShape(operation, shape);
  checkChoice('the dtype of a tensor', dtype, storageTypes);
  const storage = new Storage(trackerOf(device), dtype, [...shape]);
  return new Tensor(storage, packed(storage.shape), undefined);
}

function shapeOf(values: Nested): number[] {
  if (typeof values === 'number') return [];
  const [first] = values;
  return first === undefined ? [0] : [values.length, ...shapeOf(first)];
}

function flatten(values: Nested, shape: Shape, into: number[]): void {
  if (typeof values === 'number' && shape.length === 0) into.push(values);
  else if (typeof values !== 'number' && values.length === shape[0]) {
    for (const value of values) flatten(value, shape.slice(1), into);
  } else
    throw new SluiceError('shape', {
      rule: 'nested arrays have one length at each depth',
      received: values,
      remedy: 'Fill up the shorter ones, or give the values in one flat array with a shape.',
    });
}

function isNested(values: Nested | ArrayLike<number>): values is Nested {
  return typeof values === 'number' || (Array.isArray(values) && values.some((value) => typeof value === 'object'));
}

/**
 * A tensor of the values given: a number, a flat array (with a shape, or one axis) or nested arrays. An Int32Array
 * makes int32, all else float32, unless `dtype` says otherwise.
 */
export function tensor(
  device: Device,
  values: Nested | ArrayLike<number>,
  shape?: Shape,
  options: CreateOptions = {},
): Tensor {
  const { dtype = values instanceof Int32Array ? 'int32' : 'float32', requiresGrad } = completeOptions(
    'tensor',
    options,
    createDefaults,
  );
  let flat: ArrayLike<number>;
  let own: number[];
  if (isNested(values)) {
    own = shapeOf(values);
    const collected: number[] = [];
    flatten(values, own, collected);
    flat = collected;
  } else {
    flat = values as ArrayLike<number>;
    own = [flat.length];
  }
  const wanted = shape ?? own;
  checkShape('tensor', wanted);
  if (flat.length !== sizeOf(wanted)) {
    throw new SluiceError('shape', {
      rule: `a tensor ${show(wanted)} has ${sizeOf(wanted)} values`,
      received: flat.length,
      remedy: 'Correct the shape, or use full() for one value everywhere.',
    });
  }
  const made = make(device, 'tensor', wanted, dtype);
  device.write(flat, made.strided());
  made.requiresGrad = requiresGrad;
  return made;
}

/** One value everywhere. */
export function full(device: Device, shape: Shape, value: number, options: CreateOptions = {}): Tensor {
  const { dtype, requiresGrad } = completeOptions('full', options, createDefaults);
  const made = make(device, 'full', shape, dtype);
  fill(device, made.strided(), value);
  made.requiresGrad = requiresGrad;
  return made;
}

/** Memory to be written, whose values are undefined until then. */
export function empty(device: Device, shape: Shape): Tensor {
  const made = make(device, 'empty', shape);
  made.storage.awaitsValues = true;
  return made;
}

export const zeros = (device: Device, shape: Shape, options: CreateOptions = {}): Tensor =>
  full(device, shape, 0, options);

export const ones = (device: Device, shape: Shape, options: CreateOptions = {}): Tensor =>
  full(device, shape, 1, options);

/** start, start + step, … below end: [ceil((end - start) / step)]. */
export function arange(device: Device, start: number, end: number, step = 1, options: CreateOptions = {}): Tensor {
  const count = Math.ceil((end - start) / step);
  if (!(count > 0 && Number.isFinite(count))) {
    throw new SluiceError('argument', {
      rule: 'arange goes from start to end by step',
      received: [start, end, step],
      remedy: 'Use a step above 0 to count up, and one below 0 to count down.',
    });
  }
  return tensor(
    device,
    Float64Array.from({ length: count }, (_, i) => start + i * step),
    undefined,
    options,
  );
}

function draw(
  operation: 'rand' | 'randn',
  device: Device,
  shape: Shape,
  key: RandomKey,
  dtype: StorageType = 'float32',
): Tensor {
  if (dtype !== 'float32') {
    throw new SluiceError('argument', {
      rule: `${operation} draws float32 numbers`,
      received: dtype,
      remedy: 'Leave dtype out; whole numbers come from an Int32Array, by tensor().',
    });
  }
  const made = make(device, operation, shape);
  device.random(operation === 'rand' ? 'uniform' : 'normal', key, made.strided());
  return made;
}

const scaled = [variable('x').mul(variable('deviation')).add(variable('mean'))] as const;

export interface RandOptions extends CreateOptions {
  /** 0 by default. */
  readonly low?: number;
  /** 1 by default. */
  readonly high?: number;
}

const randDefaults = { ...createDefaults, low: 0, high: 1 } satisfies OptionTable<RandOptions>;

/** Uniform float32 numbers in [low, high): element i depends on the key and i alone. */
export function rand(device: Device, shape: Shape, key: RandomKey, options: RandOptions = {}): Tensor {
  const { low, high, dtype, requiresGrad } = completeOptions('rand', options, randDefaults);
  const made = draw('rand', device, shape, key, dtype);
  if (low !== 0 || high !== 1) mapInto(scaled, [made], { x: made }, { deviation: high - low, mean: low });
  made.requiresGrad = requiresGrad;
  return made;
}

export interface RandnOptions extends CreateOptions {
  /** 0 by default. */
  readonly mean?: number;
  /** The standard deviation; 1 by default. */
  readonly deviation?: number;
}

const randnDefaults = { ...createDefaults, mean: 0, deviation: 1 } satisfies OptionTable<RandnOptions>;

/** Normal float32 numbers: element i depends on the key and i alone. */
export function randn(device: Device, shape: Shape, key: RandomKey, options: RandnOptions = {}): Tensor {
  const { mean, deviation, dtype, requiresGrad } = completeOptions('randn', options, randnDefaults);
  const made = draw('randn', device, shape, key, dtype);
  if (mean !== 0 || deviation !== 1) mapInto(scaled, [made], { x: made }, { deviation, mean });
  made.requiresGrad = requiresGrad;
  return made;
}
