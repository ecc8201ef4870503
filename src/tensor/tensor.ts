import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import type { Device, HostArray, StorageType, View } from '../devices/device.js';
import { Elementwise } from '../scalar/elementwise.js';
import type { Expression } from '../scalar/expression.js';
import type { Primitive } from '../scalar/primitives.js';
import { isGradEnabled, propagate, Source } from './autograd.js';
import { captureSite } from './call-site.js';
import { seedGradient } from './gradients.js';
import { type AttentionOptions, attention } from './operations/attention.js';
import { clone, writeInto } from './operations/copies.js';
import { applyPrimitive, mapFunction, power, type ScalarFunction } from './operations/elementwise.js';
import { gather } from './operations/indexing.js';
import { matmul } from './operations/matmul.js';
import { checkGradient, checkLeaf } from './operations/operands.js';
import { amax, mean, type ReduceOptions, sum } from './operations/reductions.js';
import { logSoftmax, softmax } from './operations/softmax.js';
import * as views from './operations/views.js';
import { enlist, type Handle } from './scopes.js';
import { isPacked, type Layout, packed, type Shape, sizeOf } from './shape.js';
import { freedError, type Release, Storage } from './storage.js';

export interface BackwardOptions {
  /** Leaves the graph as it is, for another backward(); false by default. */
  readonly retainGraph?: boolean;
}

const backwardDefaults = { retainGraph: false } satisfies OptionTable<BackwardOptions>;

/**
 * Numbers on a device, with a shape. Elementwise methods (`add`, `mul`, `tanh`, …) broadcast; axes may be negative;
 * views share memory. A result that depends on a tensor with `requiresGrad` can be differentiated with `backward()`.
 *
 * Memory needs no care in a training loop: see `endStep`, `scope` and `keep`.
 */
export class Tensor extends Elementwise<Tensor> implements Layout, Handle, Disposable {
  readonly shape: Shape;
  readonly strides: readonly number[];
  #offset: number;
  #storage: Storage;
  #source: Source | undefined;
  #kept = false;
  #pinned = false;
  #release: Release | undefined;
  #gradient: Tensor | undefined;

  /** @internal Tensors are made by `tensor`, `zeros`, `randn`, … and by operations. */
  constructor(storage: Storage, layout: Layout, source: Source | undefined) {
    super();
    this.#storage = storage;
    this.shape = layout.shape;
    this.strides = layout.strides;
    this.#offset = layout.offset;
    this.#source = source;
    storage.hold();
    source?.node?.hold();
    enlist(this);
  }

  get offset(): number {
    return this.#offset;
  }

  /** @internal */
  get storage(): Storage {
    return this.#storage;
  }

  get device(): Device {
    return this.storage.tracker.device;
  }

  get dtype(): StorageType {
    return this.storage.buffer.type;
  }

  /** The number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  get isContiguous(): boolean {
    return isPacked(this);
  }

  /** @internal A result of an operation: new, packed memory. */
  make(type: StorageType, shape: Shape, source: Source | undefined): Tensor {
    return new Tensor(new Storage(this.storage.tracker, type, shape), packed(shape), source);
  }

  /** @internal A view: another layout of the same memory. */
  look(layout: Layout): Tensor {
    this.#check();
    return new Tensor(this.storage, layout, isGradEnabled() ? this.#source : undefined);
  }

  /** @internal The view that a device takes; counts as a use. */
  strided(): View {
    this.#check();
    this.storage.touch();
    return { buffer: this.storage.buffer, offset: this.offset, shape: this.shape, strides: this.strides };
  }

  #check(): void {
    const release = this.#release ?? this.storage.release;
    if (release !== undefined) throw freedError(this.shape, release, this.storage.madeAt);
  }

  // Reading and writing

  /** A copy of the values in row-major order: a Float32Array or Int32Array (Float64Array on `reference`). */
  async toArray(): Promise<HostArray> {
    this.#check();
    const { storage, offset, shape, strides } = this;
    return this.device.read({ buffer: storage.buffer, offset, shape, strides });
  }

  /** The value of a tensor that has one element. */
  async item(): Promise<number> {
    if (this.size !== 1) {
      throw new SluiceError('shape', {
        rule: 'item() reads a tensor of one element',
        received: this.shape,
        remedy: 'Use toArray(), or reduce it with sum() or mean() first.',
      });
    }
    return (await this.toArray())[0] ?? Number.NaN;
  }

  /** Overwrites the values in place, from a tensor of this shape or as many numbers; not recorded for backward(). */
  write(values: Tensor | ArrayLike<number>): this {
    writeInto(this, values);
    return this;
  }

  // Gradients

  /** @internal */
  get source(): Source | undefined {
    return this.#source;
  }

  get requiresGrad(): boolean {
    return this.#source !== undefined;
  }

  /** Makes the tensor a leaf whose gradient backward() collects in `grad`, or no longer one. */
  set requiresGrad(wanted: boolean) {
    if (wanted === this.requiresGrad) return;
    checkLeaf(this);
    if (!wanted) this.#dropGradient();
    this.#source = wanted ? new Source(this.shape, this.offset, this) : undefined;
  }

  /** Whether gradients end here: made by the user, not by a recorded operation. */
  get isLeaf(): boolean {
    return this.#source === undefined || this.#source.leaf === this;
  }

  /** The sum of the gradients since zeroGrad(), in this shape, for a leaf that backward() has reached. */
  get grad(): Tensor | undefined {
    const storage = this.#source?.leaf === this ? this.#source.gradient : undefined;
    if (storage === undefined || storage.release !== undefined) return undefined;
    const known = this.#gradient;
    if (known !== undefined && known.storage === storage && known.#release === undefined) return known;
    const made = new Tensor(storage, packed(this.shape, this.#source?.gradientOffset), undefined);
    made.#pinned = true;
    this.#gradient = made;
    return made;
  }

  /** Forgets the gradient, so that the next backward() starts anew in the same memory. */
  zeroGrad(): void {
    const source = this.#source;
    if (source?.leaf !== this || source.gradient === undefined) return;
    this.#gradient?.letGo(gradientRelease);
    this.#gradient = undefined;
    if (source.place === undefined && source.gradient.release === undefined) source.spare = source.gradient;
    source.gradient = undefined;
  }

  #dropGradient(): void {
    if (this.#source?.leaf !== this) return;
    this.zeroGrad();
    this.#source.spare?.free(gradientRelease);
    this.#source.spare = undefined;
    this.#source.place?.storage.letGo(gradientRelease);
    this.#source.place = undefined;
  }

  /**
   * Adds the gradient of this tensor with respect to every leaf behind it to the leaf's `grad`, and gives back what
   * the graph held. A tensor of more than one element takes the gradient of the loss with respect to it.
   * @throws SluiceError `freed` the second time through a graph, unless the first had `retainGraph`.
   */
  backward(gradient?: Tensor, options: BackwardOptions = {}): void {
    const { retainGraph } = completeOptions('backward', options, backwardDefaults);
    const source = checkGradient(this, gradient);
    this.#check();
    const seed = gradient && { view: gradient.strided(), storage: gradient.storage };
    const input = { source, layout: this };
    propagate(source, () => seedGradient(this.storage.tracker, input, seed), retainGraph);
  }

  /** The same values, without their history. */
  detach(): Tensor {
    this.#check();
    return new Tensor(this.storage, this, undefined);
  }

  // Operations

  override apply(primitive: Primitive, ...rest: readonly (Tensor | number)[]): Tensor {
    return applyPrimitive(primitive, [this, ...rest]);
  }

  /** This to a power; small whole exponents hold for negative values too. */
  override pow(exponent: Tensor | number): Tensor {
    return power(this, exponent);
  }

  /**
   * A scalar function of each element as one kernel: `x.map(gelu)`, `x.map((x) => x.mul(x.sigmoid()))`. Other variables
   * of the function are given by name: numbers, or tensors that broadcast, which may be learned.
   */
  map(
    fn: ScalarFunction | ((x: Expression) => Expression),
    parameters: Readonly<Record<string, Tensor | number>> = {},
  ): Tensor {
    return mapFunction(this, fn, parameters);
  }

  /** The sum over axes (all by default). */
  sum(axes?: number | readonly number[], options?: ReduceOptions): Tensor {
    return sum(this, axes, options);
  }

  /** The mean over axes (all by default). */
  mean(axes?: number | readonly number[], options?: ReduceOptions): Tensor {
    return mean(this, axes, options);
  }

  /** The largest values over axes (all by default); equal ones share the gradient. */
  amax(axes?: number | readonly number[], options?: ReduceOptions): Tensor {
    return amax(this, axes, options);
  }

  softmax(axis = -1): Tensor {
    return softmax(this, axis);
  }

  logSoftmax(axis = -1): Tensor {
    return logSoftmax(this, axis);
  }

  /** [..., m, k] by [..., k, n] to [..., m, n]; leading axes broadcast, and vectors are rows on the left, columns on the right. */
  matmul(other: Tensor): Tensor {
    return matmul(this, other);
  }

  /** Rows of this [count, ...] by int32 indices [...]: an embedding. */
  gather(indices: Tensor): Tensor {
    return gather(this, indices);
  }

  /** Scaled dot-product attention of this query [batch, time, heads, headDim]; see `attention`. */
  attention(key: Tensor, value: Tensor, options?: AttentionOptions): Tensor {
    return attention(this, key, value, options);
  }

  // Views and copies

  transpose(a: number, b: number): Tensor {
    return views.transpose(this, a, b);
  }

  /** The axes in another order. */
  permute(axes: readonly number[]): Tensor {
    return views.permute(this, axes);
  }

  /** Another shape over the same memory; one size may be -1. Throws where that takes a copy. */
  view(shape: Shape): Tensor {
    return views.view(this, shape);
  }

  /** Another shape, copied only where the memory's order asks for it; one size may be -1. */
  reshape(shape: Shape): Tensor {
    return views.reshape(this, shape);
  }

  /** Indices `start` to `end` (exclusive) of an axis; negative ones count from the end. */
  slice(axis: number, start: number, end?: number): Tensor {
    return views.slice(this, axis, start, end);
  }

  /** `length` indices of an axis from `start` on. */
  narrow(axis: number, start: number, length: number): Tensor {
    return views.narrow(this, axis, start, length);
  }

  /** One index of an axis, which goes. */
  select(axis: number, index: number): Tensor {
    return views.select(this, axis, index);
  }

  /** Equal parts along an axis. */
  chunk(count: number, axis = 0): Tensor[] {
    return views.chunk(this, count, axis);
  }

  /** Axes of size 1 repeated, without a copy; -1 leaves a size as it is. */
  expand(shape: Shape): Tensor {
    return views.expand(this, shape);
  }

  unsqueeze(axis: number): Tensor {
    return views.unsqueeze(this, axis);
  }

  squeeze(axes?: number | readonly number[]): Tensor {
    return views.squeeze(this, axes);
  }

  /** The values side by side in row-major order: a view where they are, else a copy. */
  contiguous(): Tensor {
    return isPacked(this) ? this.look(this) : clone(this);
  }

  /** A copy in memory of its own; gradients pass. */
  clone(): Tensor {
    return clone(this);
  }

  // Memory

  get kept(): boolean {
    return this.#kept;
  }

  /** @internal */
  get survives(): boolean {
    return this.#kept || this.#pinned;
  }

  /** Keeps the tensor (and its gradient, if it is a leaf) through steps and scopes, until dispose(). */
  keep(): this {
    this.#check();
    if (this.#kept) return this;
    this.#kept = true;
    this.storage.keep();
    if (this.#source?.leaf === this) {
      this.#source.gradient?.keep();
      this.#source.spare?.keep();
    }
    return this;
  }

  /** Gives up this tensor; its memory goes back when neither another view of it nor the graph needs it. */
  dispose(): void {
    if (this.#release === undefined) {
      this.#end({ by: 'dispose()', at: captureSite(), remedy: 'Dispose of it after its last use.' });
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** @internal */
  letGo(why: Release): void {
    this.#end(why);
  }

  /** @internal Makes a leaf the window of a storage, which has its values already; views of it stay behind. */
  moveTo(storage: Storage, offset: number): void {
    storage.hold();
    if (this.#kept) storage.keep();
    if (this.#kept) this.#storage.stopKeeping();
    this.#storage.letGo(gradientRelease); // nobody else has it
    this.#storage = storage;
    this.#offset = offset;
    if (this.#source !== undefined) this.#source.offset = offset;
  }

  #end(why: Release): void {
    if (this.#release !== undefined) return;
    this.#release = why;
    this.#dropGradient();
    this.#source?.node?.letGo();
    if (this.#kept) this.storage.stopKeeping();
    this.storage.letGo(why);
  }
}

const gradientRelease: Release = {
  by: 'zeroGrad(), or with its tensor',
  remedy: 'Read a gradient before zeroGrad(), or clone() it.',
};
