import { SluiceError } from '../../base/errors.js';
import { completeOptions, type OptionTable } from '../../base/options.js';
import type { View } from '../../devices/device.js';
import type { Expression } from '../../scalar/expression.js';
import { startNode } from '../autograd.js';
import { viewOf } from '../compute.js';
import type { Differentiable } from '../gradients.js';
import { MapProgram, ProgramCache, sameItems } from '../map-program.js';
import { broadcastShapes, expandLayout, repeats, type Shape, sameShape, sliceLayout, toAxis } from '../shape.js';
import type { Storage } from '../storage.js';
import type { Tensor } from '../tensor.js';
import { MapBackward } from './map-backward.js';
import { checkDevice, checkFloat } from './operands.js';

export type Tensors = Readonly<Record<string, Tensor>>;
export type Scalars = Readonly<Record<string, number>>;

/** One tensor for each expression. */
export type Mapped<Outputs extends readonly Expression[]> = { readonly [K in keyof Outputs]: Tensor };

export interface MapOptions {
  /** What error messages call the operation; 'map' by default. */
  readonly operation?: string;
  /**
   * Infinite inputs give the limit and NaN gives NaN, where the formula as written would give NaN: for activations
   * and gates. False by default.
   */
  readonly extended?: boolean;
}

const mapDefaults = { operation: 'map', extended: false } satisfies OptionTable<MapOptions>;

const caches = { plain: new ProgramCache<MapProgram>(), extended: new ProgramCache<MapProgram>() };

/**
 * Elementwise expressions over tensors that broadcast, as one kernel; the gradient is derived from the expressions and
 * runs as one kernel too. Variables of the expressions are tensors or numbers by name; every result is float32 and has
 * the shape that the inputs broadcast to.
 * @throws SluiceError `shape` where shapes do not broadcast, `argument` for int32 tensors.
 */
export function mapTensors<const Outputs extends readonly Expression[]>(
  outputs: Outputs,
  inputs: Tensors,
  scalars: Scalars = {},
  options: MapOptions = {},
): Mapped<Outputs> {
  const { operation, extended } = completeOptions('mapTensors', options, mapDefaults);
  const program = programOf(operation, outputs, Object.keys(inputs), Object.keys(scalars), extended);
  return runMap(program, Object.values(inputs), Object.values(scalars), operation) as Mapped<Outputs>;
}

export function programOf(
  operation: string,
  outputs: readonly Expression[],
  inputs: readonly string[],
  scalars: readonly string[],
  extended: boolean,
): MapProgram {
  return caches[extended ? 'extended' : 'plain'].find(
    outputs,
    (known) => sameItems(known.inputs, inputs) && sameItems(known.scalars, scalars),
    () => new MapProgram(operation, outputs, inputs, scalars, extended),
  );
}

/**
 * Elementwise expressions written in place into existing tensors of one shape, as one kernel: what optimizers do.
 * Inputs broadcast to that shape, and may be among the targets. Not recorded for backward().
 */
export function mapInto(
  outputs: readonly Expression[],
  into: readonly Tensor[],
  inputs: Tensors,
  scalars: Scalars = {},
  operation = 'mapInto',
): void {
  const [first] = into;
  const tensors = Object.values(inputs);
  if (first === undefined || into.length !== outputs.length) {
    throw new SluiceError('argument', {
      rule: `${operation} has a tensor to write for each expression`,
      received: `${into.length} for ${outputs.length}`,
      remedy: 'Make the missing ones with zeros(), or leave expressions out.',
    });
  }
  checkDevice(operation, first, [...into, ...tensors]);
  checkFloat(operation, [...into, ...tensors]);
  const { shape } = first;
  const strange = [
    ...into.filter((tensor) => !sameShape(tensor.shape, shape) || repeats(tensor)),
    ...tensors.filter((tensor) => !sameShape(broadcastShapes(operation, tensor.shape, shape), shape)),
  ];
  if (strange.length > 0) {
    throw new SluiceError('shape', {
      rule: `${operation} writes tensors of one shape, to which the inputs broadcast`,
      received: [shape, ...strange.map((tensor) => tensor.shape)],
      remedy: 'Make what is written with zeros(), and reshape the inputs to fit it.',
    });
  }
  first.device.map(
    programOf(operation, outputs, Object.keys(inputs), Object.keys(scalars), false).kernel,
    tensors.map((tensor) => viewOf(tensor.strided(), expandLayout(tensor, shape))),
    Object.values(scalars),
    into.map((tensor) => tensor.strided()),
  );
  for (const tensor of into) tensor.storage.version++;
}

/** As `mapTensors`, with the results side by side along an axis of one tensor: what a `concat` of them would give. */
export function mapJoined(
  outputs: readonly Expression[],
  inputs: Tensors,
  axis: number,
  scalars: Scalars = {},
  options: MapOptions = {},
): Tensor {
  const { operation, extended } = completeOptions('mapJoined', options, mapDefaults);
  const program = programOf(operation, outputs, Object.keys(inputs), Object.keys(scalars), extended);
  const { first, tensors, shape, views } = place(operation, Object.values(inputs));
  const along = toAxis(operation, axis, shape.length);
  const size = shape[along] ?? 1;
  const whole = shape.with(along, size * outputs.length);
  const parts = (view: View): View[] =>
    outputs.map((_, k) => viewOf(view, sliceLayout(view, along, k * size, (k + 1) * size)));
  const node = startNode(operation, tensors);
  const result = first.make('float32', whole, node?.output(whole));
  first.device.map(program.kernel, views, Object.values(scalars), parts(result.strided()));
  if (node !== undefined) {
    const backward = backwardOf(program, tensors, views, Object.values(scalars));
    node.finish(backward.saved, ([cotangent], isLast) => {
      if (cotangent !== undefined) backward.gradient.runOnViews(parts(cotangent.view), shape, isLast);
    });
  }
  return result;
}

interface Placed {
  readonly first: Tensor;
  readonly tensors: readonly Tensor[];
  /** What the inputs broadcast to. */
  readonly shape: Shape;
  readonly views: readonly View[];
}

function place(operation: string, tensors: readonly Tensor[]): Placed {
  const [first] = tensors;
  if (first === undefined) {
    throw new SluiceError('argument', {
      rule: `${operation} takes at least one tensor`,
      received: 'none',
      remedy: 'Use full() for one value everywhere.',
    });
  }
  checkDevice(operation, first, tensors);
  checkFloat(operation, tensors);
  const shape = broadcastShapes(operation, ...tensors.map((tensor) => tensor.shape));
  return {
    first,
    tensors,
    shape,
    views: tensors.map((tensor) => viewOf(tensor.strided(), expandLayout(tensor, shape))),
  };
}

/** Runs a program on tensors in the order of its inputs. */
export function runMap(
  program: MapProgram,
  inputs: readonly Tensor[],
  scalars: readonly number[],
  operation: string,
): Tensor[] {
  const { first, tensors, shape, views } = place(operation, inputs);
  const node = startNode(operation, tensors);
  const results = program.outputs.map(() => first.make('float32', shape, node?.output(shape)));
  first.device.map(
    program.kernel,
    views,
    scalars,
    results.map((result) => result.strided()),
  );
  if (node !== undefined) {
    const { gradient, saved } = backwardOf(program, tensors, views, scalars);
    node.finish(saved, (cotangents, isLast) => gradient.run(cotangents, shape, isLast));
  }
  return results;
}

/** What backward() runs for a program, and the storages it reads then. */
function backwardOf(
  program: MapProgram,
  tensors: readonly Tensor[],
  views: readonly View[],
  scalars: readonly number[],
): { readonly gradient: MapBackward; readonly saved: readonly Storage[] } {
  const wanted: number[] = [];
  tensors.forEach(({ source }, i) => {
    if (source !== undefined) wanted.push(i);
  });
  const saved = program.needs(wanted).flatMap((i) => tensors[i]?.storage ?? []);
  const inputs = tensors.map(({ source, storage }, i): Differentiable | undefined => {
    const layout = views[i];
    if (source === undefined || layout === undefined) return undefined;
    const isOwn =
      saved.includes(storage) && tensors.every((one) => one.storage !== storage || one.source !== undefined);
    return { source, layout, values: isOwn ? storage : undefined };
  });
  const [first] = tensors;
  if (first === undefined) throw new SluiceError('internal', { rule: 'a map has an input' });
  return { gradient: new MapBackward(program, first.storage.tracker, views, scalars, inputs, wanted), saved };
}
