import type { View } from '../../devices/device.js';
import type { Cotangent } from '../autograd.js';
import { fill, viewOf, withTemporary } from '../compute.js';
import { alias, type Differentiable, Targets } from '../gradients.js';
import type { MapProgram, Role } from '../map-program.js';
import { expandLayout, isPacked, type Layout, packed, reshapeLayout, type Shape, sizeOf } from '../shape.js';
import type { Tracker } from '../storage.js';

/** The gradients of a map's inputs, by as few kernels as their layouts allow. */
export class MapBackward {
  readonly #program: MapProgram;
  readonly #tracker: Tracker;
  readonly #views: readonly View[];
  readonly #scalars: readonly number[];
  readonly #inputs: readonly (Differentiable | undefined)[];
  readonly #wanted: readonly number[];

  constructor(
    program: MapProgram,
    tracker: Tracker,
    views: readonly View[],
    scalars: readonly number[],
    inputs: readonly (Differentiable | undefined)[],
    wanted: readonly number[],
  ) {
    this.#program = program;
    this.#tracker = tracker;
    this.#views = views;
    this.#scalars = scalars;
    this.#inputs = inputs;
    this.#wanted = wanted;
  }

  /** With `isLast`, nobody reads the inputs afterwards but those who hold them. */
  run(cotangents: readonly (Cotangent | undefined)[], shape: Shape, isLast: boolean): void {
    const [only] = cotangents;
    const views = viewsOf(cotangents);
    if (views === undefined) this.#runWithZeros(cotangents, shape, isLast);
    else {
      // What sums over rows reads the cotangent, which the fused kernel may overwrite: it comes first.
      const rest = this.#wanted.filter((i) => !this.#aliased(i, cotangents) && !this.#summed(i, views, shape));
      this.#fused(rest, views, isLast, cotangents.length === 1 ? only : undefined);
    }
  }

  /** For cotangents that are windows: nothing is shared with them or written over them. */
  runOnViews(cotangents: readonly View[], shape: Shape, isLast: boolean): void {
    this.#fused(
      this.#wanted.filter((i) => !this.#summed(i, cotangents, shape)),
      cotangents,
      isLast,
    );
  }

  /** Some outputs were not used: their cotangents are 0. */
  #runWithZeros(cotangents: readonly (Cotangent | undefined)[], shape: Shape, isLast: boolean): void {
    const { device } = this.#tracker;
    withTemporary(device, [1], (zero) => {
      fill(device, zero, 0);
      const zeros = viewOf(zero, expandLayout(zero, shape));
      const views = cotangents.map((cotangent) => cotangent?.view ?? zeros);
      this.#fused(this.#wanted, views, isLast);
    });
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

  #fused(wanted: readonly number[], cotangents: readonly View[], overwrites: boolean, reusable?: Cotangent): void {
    const inputs: Differentiable[] = [];
    for (const i of wanted) {
      const input = this.#inputs[i];
      if (input !== undefined) inputs.push(input);
    }
    if (inputs.length === 0) return;
    const targets = new Targets(this.#tracker, inputs, { mode: 'adds', reusable: reusable?.storage, overwrites });
    const adds = targets.all.map(({ previous }) => previous !== undefined);
    const gradient = this.#program.mapGradient(wanted, adds);
    const views: View[] = [];
    const add = (view: View | undefined): void => {
      if (view !== undefined) views.push(view);
    };
    for (const i of gradient.inputs) add(this.#views[i]);
    for (const k of gradient.cotangents) add(cotangents[k]);
    for (const { previous } of targets.all) add(previous);
    const outputs = targets.all.map(({ output }) => output);
    this.#tracker.device.map(gradient.kernel, views, this.#scalars, outputs);
    targets.close();
  }
}

/** The views of all cotangents, if all are there. */
function viewsOf(cotangents: readonly (Cotangent | undefined)[]): View[] | undefined {
  const views: View[] = [];
  for (const cotangent of cotangents) {
    if (cotangent === undefined) return undefined;
    views.push(cotangent.view);
  }
  return views;
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
  if (repeatsIn(outer) && isPacked(inner)) return { role: 'column', view: viewOf(view, packed([length], view.offset)) };
  if (repeatsIn(inner) && isPacked(outer)) return { role: 'row', view: viewOf(view, packed([rows], view.offset)) };
  const matrix = reshapeLayout(view, [rows, length]);
  return matrix?.strides[1] === 1 ? { role: 'element', view: viewOf(view, matrix) } : undefined;
}
