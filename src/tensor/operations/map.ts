import { SluiceError } from '../../base/errors.js';
import type { View } from '../../devices/device.js';
import type { Expression } from '../../scalar/expression.js';
import { type Cotangent, startNode } from '../autograd.js';
import { fill, viewOf, withTemporary } from '../compute.js';
import { alias, type Differentiable, Targets } from '../gradients.js';
import { MapProgram, ProgramCache, type Role, sameItems } from '../map-program.js';
import { broadcastShapes, expandLayout, isPacked, type Layout, packed, reshapeLayout, type Shape, sizeOf } from '../shape.js';
import type { Tracker } from '../storage.js';
import type { Tensor } from '../tensor.js';

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

const caches = { plain: new ProgramCache<MapProgram>(), extended: new ProgramCache<MapProgram>() };

/**
 * Elementwise expressions over tensors that broadcast, as one kernel; the gradient is derived from the expressions and
 * runs as one kernel too. Variables of the expressions are tensors or numbers by name; every result is float32 and has
 * the shape that the inputs broadcast to.
 * @throws SluiceError `shape` where shapes do not broadcast.
 */
export function mapTensors<const Outputs extends readonly Expression[]>(
  outputs: Outputs,
  inputs: Tensors,
  scalars: Scalars = {},
  { operation = 'map', extended = false }: MapOptions = {},
): Mapped<Outputs> {
  const inputNames = Object.keys(inputs);
  const scalarNames = Object.keys(scalars);
  const program = caches[extended ? 'extended' : 'plain'].find(
    outputs,
    (known) => sameItems(known.inputs, inputNames) && sameItems(known.scalars, scalarNames),
    () => new MapProgram(outputs, inputNames, scalarNames, extended),
  );
  return runMap(program, Object.values(inputs), Object.values(scalars), operation) as Mapped<Outputs>;
}

/** The tensors must be on one device; the first tells which. */
export function checkDevice(operation: string, first: Tensor, others: readonly Tensor[]): void {
  const stranger = others.find(({ device }) => device !== first.device);
  if (stranger === undefined) return;
  throw new SluiceError('device', {
    rule: `${operation} takes tensors of one device`,
    received: [first.device.name, stranger.device.name],
    remedy: 'Read one with toArray() and make it anew on the other device.',
  });
}

export function runMap(
  program: MapProgram,
  tensors: readonly Tensor[],
  scalars: readonly number[],
  operation: string,
): Tensor[] {
  const [first] = tensors;
  if (first === undefined) {
    throw new SluiceError('argument', { rule: `${operation} takes at least one tensor`, received: 'none' });
  }
  checkDevice(operation, first, tensors);
  const shape = broadcastShapes(operation, ...tensors.map((tensor) => tensor.shape));
  const views = tensors.map((tensor) => viewOf(tensor.strided(), expandLayout(tensor, shape)));
  const node = startNode(operation, tensors);
  const results = program.outputs.map(() => first.make('float32', shape, node?.output(shape)));
  first.device.map(
    program.kernel,
    views,
    scalars,
    results.map((result) => result.strided()),
  );
  if (node !== undefined) {
    const sources = tensors.map(({ source }) => source);
    const wanted = sources.flatMap((source, i) => (source === undefined ? [] : [i]));
    const saved = program.needs(wanted).flatMap((i) => tensors[i]?.storage ?? []);
    const inputs = views.map((layout, i): Differentiable | undefined => {
      const source = sources[i];
      return source === undefined ? undefined : { source, layout };
    });
    const gradient = new MapBackward(program, first.storage.tracker, views, scalars, inputs);
    node.finish(saved, (cotangents) => gradient.run(cotangents, shape));
  }
  return results;
}

/** The gradients of a map's inputs, by as few kernels as their layouts allow. */
class MapBackward {
  readonly #program: MapProgram;
  readonly #tracker: Tracker;
  readonly #views: readonly View[];
  readonly #scalars: readonly number[];
  readonly #inputs: readonly (Differentiable | undefined)[];

  constructor(
    program: MapProgram,
    tracker: Tracker,
    views: readonly View[],
    scalars: readonly number[],
    inputs: readonly (Differentiable | undefined)[],
  ) {
    this.#program = program;
    this.#tracker = tracker;
    this.#views = views;
    this.#scalars = scalars;
    this.#inputs = inputs;
  }

  run(cotangents: readonly (Cotangent | undefined)[], shape: Shape): void {
    if (cotangents.includes(undefined)) {
      withTemporary(this.#tracker.device, [1], (zero) => {
        fill(this.#tracker.device, zero, 0);
        const zeros = viewOf(zero, expandLayout(zero, shape));
        const views = cotangents.map((cotangent) => cotangent?.view ?? zeros);
        this.#fused(this.#wanted(), views, undefined);
      });
      return;
    }
    const views = cotangents.map((cotangent) => cotangent?.view).filter((view) => view !== undefined);
    // What sums over rows reads the cotangent, which the fused kernel may overwrite: it comes first.
    const rest = this.#wanted().filter((i) => !this.#aliased(i, cotangents) && !this.#summed(i, views, shape));
    const [only] = cotangents;
    this.#fused(rest, views, cotangents.length === 1 ? only : undefined);
  }

  #wanted(): number[] {
    return this.#inputs.flatMap((input, i) => (input === undefined ? [] : [i]));
  }

  /** The cotangent itself is the gradient: shared, not copied. */
  #aliased(i: number, cotangents: readonly (Cotangent | undefined)[]): boolean {
    const output = this.#program.aliasOf(i);
    const cotangent = output === undefined ? undefined : cotangents[output];
    const input = this.#inputs[i];
    return cotangent !== undefined && input !== undefined && alias(input, cotangent.storage);
  }

  /** A bias, or another input that repeats along leading axes: a kernel that sums while it computes. */
  #summed(i: number, cotangents: readonly View[], shape: Shape): boolean {
    const input = this.#inputs[i];
    const split = input === undefined ? 0 : repeatedAxes(input.layout);
    if (input === undefined || split === 0) return false;
    const [rows, length] = [sizeOf(shape.slice(0, split)), sizeOf(shape.slice(split))];
    const own = { ...input.layout, shape: shape.slice(split), strides: input.layout.strides.slice(split) };
    if (length < 8 || !isPacked(own)) return false;
    const operands = this.#program.operandsOf(i);
    const views = [
      ...operands.inputs.map((k) => this.#views[k]),
      ...operands.cotangents.map((k) => cotangents[k]),
    ].filter((view) => view !== undefined);
    const placed = views.map((view) => placeOver(view, split, rows, length));
    if (placed.includes(undefined)) return false;
    const known = placed.filter((one) => one !== undefined);
    const { kernel } = this.#program.columnGradient(
      i,
      known.map(({ role }) => role),
    );
    const inRole = (role: Role): View[] => known.flatMap((one) => (one.role === role ? [one.view] : []));
    const targets = new Targets(this.#tracker, [{ source: input.source, layout: own }], { mode: 'accumulates' });
    for (const { output, previous } of targets.all) {
      const outputs = [viewOf(output, packed([length], output.offset))];
      const parts = { elements: inRole('element'), columns: inRole('column'), perRow: inRole('row') };
      const accumulate = previous !== undefined;
      this.#tracker.device.column(kernel, { rows, length, ...parts, scalars: this.#scalars, outputs }, accumulate);
    }
    targets.close();
    return true;
  }

  #fused(wanted: readonly number[], cotangents: readonly View[], reusable: Cotangent | undefined): void {
    const inputs = wanted.flatMap((i) => this.#inputs[i] ?? []);
    if (inputs.length === 0) return;
    const targets = new Targets(this.#tracker, inputs, { mode: 'adds', reusable: reusable?.storage });
    const previous = targets.all.map((target) => target.previous);
    const gradient = this.#program.mapGradient(
      wanted,
      previous.map((view) => view !== undefined),
    );
    const views = [
      ...gradient.inputs.map((i) => this.#views[i]),
      ...gradient.cotangents.map((k) => cotangents[k]),
      ...previous,
    ].filter((view) => view !== undefined);
    this.#tracker.device.map(
      gradient.kernel,
      views,
      this.#scalars,
      targets.all.map(({ output }) => output),
    );
    targets.close();
  }
}

/** How many leading axes only repeat; 0 where none of them is longer than 1. */
function repeatedAxes({ shape, strides }: Layout): number {
  let count = 0;
  let size = 1;
  while (count < shape.length && (strides[count] === 0 || shape[count] === 1)) {
    size *= shape[count] ?? 1;
    count++;
  }
  return size > 1 ? count : 0;
}

/** A view over [rows, length] as an operand of a column kernel, where it is one. */
function placeOver(
  view: View,
  split: number,
  rows: number,
  length: number,
): { readonly role: Role; readonly view: View } | undefined {
  const outer: Layout = { shape: view.shape.slice(0, split), strides: view.strides.slice(0, split), offset: 0 };
  const inner: Layout = { shape: view.shape.slice(split), strides: view.strides.slice(split), offset: 0 };
  const repeatsIn = ({ shape, strides }: Layout): boolean =>
    shape.every((size, axis) => size === 1 || strides[axis] === 0);
  if (repeatsIn(outer) && isPacked(inner))
    return { role: 'column', view: viewOf(view, packed([length], view.offset)) };
  if (repeatsIn(inner) && isPacked(outer)) return { role: 'row', view: viewOf(view, packed([rows], view.offset)) };
  const matrix = reshapeLayout(view, [rows, length]);
  return matrix?.strides[1] === 1 ? { role: 'element', view: viewOf(view, matrix) } : undefined;
}

