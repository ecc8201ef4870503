import type { Device, View } from '../../devices/device.js';
import type { Pair, WindowShape } from '../../kernels/windows.js';
import { combine, sumInto, viewOf, withTemporary } from '../compute.js';
import { contribute, type Differentiable, Targets } from '../gradients.js';
import {
  expandLayout,
  insertAxis,
  isPacked,
  type Layout,
  packed,
  permuteLayout,
  reshapeLayout,
  type Shape,
  sizeOf,
  sliceLayout,
} from '../shape.js';
import type { Tracker } from '../storage.js';
import type { ConvolutionOptions } from './convolution.js';
import { multiply, swapped } from './matmul.js';
import { isStoredInner } from './unfolding.js';

/**
 * Elements of windows that are made at a time: they stay in a second-level cache between what writes and what reads them.
 */
const elementsAtOnce = 2 ** 18;

/**
 * The products of one convolution, as matrices of each group: results [outputs, positions] = kernels [outputs, depth] by
 * windows [depth, positions], where a position is a window's and depth runs over its elements. Channels that lie side by
 * side in the images are innermost in the windows and the results, else outermost.
 */
export class ConvolutionProducts {
  /** The result's shape as it lies in memory. */
  readonly stored: Shape;
  /** Whether its outputs lie side by side. */
  readonly isInner: boolean;
  readonly #windows: WindowShape;
  readonly #groups: number;

  readonly #images: number;
  readonly #kernels: Shape;
  readonly #counts: Pair;

  constructor(images: Layout, kernels: Shape, counts: Pair, { stride, padding, dilation, groups }: ConvolutionOptions) {
    const [[top], [left]] = padding;
    this.#windows = { stride, padding: [top, left], dilation };
    this.#groups = groups;
    this.#kernels = kernels;
    this.#counts = counts;
    this.isInner = groups === 1 && isStoredInner(images);
    this.#images = images.shape[0] ?? 1;
    const [outputs = 1] = kernels;
    this.stored = this.isInner ? [this.#images, ...counts, outputs] : [this.#images, outputs, ...counts];
  }

  /** What is stored as [images, outputs, rows, columns]. */
  shown<L extends Layout>(stored: L): L {
    return this.isInner ? { ...stored, ...permuteLayout(stored, [0, 3, 1, 2]) } : stored;
  }

  /** @param results as they are stored */
  forward(device: Device, images: View, kernels: View, bias: View | undefined, results: View): void {
    if (bias !== undefined) {
      const repeated = this.isInner ? bias : viewOf(bias, insertAxis(insertAxis(bias, 1), 2));
      combine(device, viewOf(bias, expandLayout(repeated, this.stored)), results, undefined);
    }
    const adds = bias !== undefined;
    this.#withKernels(device, kernels, (kernelMatrix) =>
      this.#eachPart(device, (part, windows, windowMatrix) => {
        device.unfold(this.#windows, part(images), windows);
        const own = part(this.shown(results));
        if (this.isInner || this.#groups > 1)
          this.#writeResults(device, own, adds, (matrix, accumulate) =>
            multiply(device, kernelMatrix, windowMatrix, matrix, accumulate),
          );
        else this.#multiplyEach(device, kernelMatrix, windowMatrix, own, adds);
      }),
    );
  }

  /** A product for each image: results lie image by image. */
  #multiplyEach(device: Device, kernels: View, windows: View, results: View, accumulate: boolean): void {
    const [images = 1, outputs = 1, rows = 1, columns = 1] = results.shape;
    const positions = rows * columns;
    const [, , across = 1] = windows.shape;
    const each = { shape: [images, this.#depth, positions], strides: [positions, across, 1], offset: windows.offset };
    const repeated = expandLayout(kernels, [images, ...kernels.shape.slice(1)]);
    const stored = packed([images, outputs, positions], results.offset);
    multiply(device, viewOf(kernels, repeated), viewOf(windows, each), viewOf(results, stored), accumulate);
  }

  /** With the gradient of the results, stored as they are, as [images, outputs, rows, columns] of images side by side. */
  withTurned(device: Device, gradient: View, body: (turned: View) => void): void {
    if (this.isInner) {
      body(this.shown(gradient));
      return;
    }
    const turned = viewOf(gradient, permuteLayout(gradient, [1, 0, 2, 3]));
    withTemporary(device, turned.shape, (copy) => {
      combine(device, turned, copy, undefined);
      body(viewOf(copy, permuteLayout(copy, [1, 0, 2, 3])));
    });
  }

  /** Adds the gradient of the bias. */
  learnBias(tracker: Tracker, gradient: View, bias: Differentiable): void {
    const stored = viewOf(gradient, permuteLayout(gradient, this.isInner ? [0, 2, 3, 1] : [0, 1, 2, 3]));
    const axes = this.isInner ? [0, 1, 2] : [0, 2, 3];
    const targets = new Targets(tracker, [bias], { mode: 'accumulates' });
    for (const { output, previous } of targets.all)
      sumInto(tracker.device, stored, axes, output, previous !== undefined);
    targets.close();
  }

  /** Adds the gradient of the kernels. */
  learn(tracker: Tracker, images: View, gradient: View, { source, layout }: Differentiable): void {
    const { device } = tracker;
    const add = (target: View, accumulate: boolean): void => {
      const sums = this.#asKernelMatrix(target);
      this.#eachPart(device, (part, windows, windowMatrix, isFirst) => {
        device.unfold(this.#windows, part(images), windows);
        const matrix = this.#asResultMatrix(part(gradient));
        if (matrix !== undefined) multiply(device, matrix, swapped(windowMatrix), sums, accumulate || !isFirst);
      });
    };
    if (this.isInner) {
      const inner = permuteLayout(layout, [0, 2, 3, 1]);
      withTemporary(device, inner.shape, (sums) => {
        add(sums, false);
        contribute(tracker, { source, layout: inner }, sums);
      });
      return;
    }
    const targets = new Targets(tracker, [{ source, layout }], { mode: 'accumulates', fits: isPacked });
    for (const { output, previous } of targets.all) add(output, previous !== undefined);
    targets.close();
  }

  /** Adds the gradient of the images. */
  backward(tracker: Tracker, kernels: View, gradient: View, input: Differentiable): void {
    const { device } = tracker;
    const targets = new Targets(tracker, [input], { mode: 'accumulates' });
    for (const { output, previous } of targets.all) {
      this.#withKernels(device, kernels, (kernelMatrix) =>
        this.#eachPart(device, (part, windows, windowMatrix) => {
          const matrix = this.#asResultMatrix(part(gradient));
          if (matrix !== undefined) multiply(device, swapped(kernelMatrix), matrix, windowMatrix, false);
          device.fold(this.#windows, windows, part(output), previous !== undefined);
        }),
      );
    }
    targets.close();
  }

  /** Elements of a window in one group. */
  get #depth(): number {
    return sizeOf(this.#kernels.slice(1));
  }

  /** Goes through the images, some at a time, with memory for their windows as they are and as matrices. */
  #eachPart(
    device: Device,
    body: (part: (of: View) => View, windows: View, matrix: View, isFirst: boolean) => void,
  ): void {
    const [, own = 1, ...kernel] = this.#kernels;
    const channels = own * this.#groups;
    const perImage = this.#groups * this.#depth * sizeOf(this.#counts);
    const most = Math.max(1, Math.min(this.#images, Math.floor(elementsAtOnce / perImage)));
    withTemporary(device, [most * perImage], (memory) => {
      for (let first = 0; first < this.#images; first += most) {
        const count = Math.min(most, this.#images - first);
        const stored = this.isInner
          ? permuteLayout(packed([count, ...this.#counts, ...kernel, channels]), [5, 3, 4, 0, 1, 2])
          : packed([channels, ...kernel, count, ...this.#counts]);
        const part = (of: View): View => viewOf(of, sliceLayout(of, 0, first, first + count));
        const windows = viewOf(memory, stored);
        body(part, windows, viewOf(memory, this.#windowMatrix(count)), first === 0);
      }
    });
  }

  /** [groups, depth, positions] of so many images. */
  #windowMatrix(images: number): Layout {
    const depth = this.#depth;
    const positions = images * sizeOf(this.#counts);
    const shape = [this.#groups, depth, positions];
    return this.isInner ? { shape, strides: [0, 1, depth], offset: 0 } : packed(shape);
  }

  /** [groups, outputs, depth] of kernels stored one after the other. */
  #asKernelMatrix(kernels: View): View {
    const [outputs = 1] = this.#kernels;
    return viewOf(kernels, packed([this.#groups, outputs / this.#groups, this.#depth], kernels.offset));
  }

  /** With kernels whose elements are in the order of the windows'. */
  #withKernels(device: Device, kernels: View, body: (matrix: View) => void): void {
    if (!this.isInner) {
      body(this.#asKernelMatrix(kernels));
      return;
    }
    const inner = viewOf(kernels, permuteLayout(kernels, [0, 2, 3, 1]));
    withTemporary(device, inner.shape, (copy) => {
      combine(device, inner, copy, undefined);
      body(this.#asKernelMatrix(copy));
    });
  }

  /** Results of some images as [groups, outputs, positions], where they lie so; those of `withTurned` do. */
  #asResultMatrix(results: View): View | undefined {
    const [images = 1, outputs = 1, rows = 1, columns = 1] = results.shape;
    const shape = [this.#groups, outputs / this.#groups, images * rows * columns];
    const matrix = reshapeLayout(permuteLayout(results, [1, 0, 2, 3]), shape);
    return matrix === undefined ? undefined : viewOf(results, matrix);
  }

  /** Fills results with a product, or adds it: by way of a copy where they do not lie as a matrix. */
  #writeResults(
    device: Device,
    results: View,
    adds: boolean,
    write: (matrix: View, accumulate: boolean) => void,
  ): void {
    const direct = this.#asResultMatrix(results);
    if (direct !== undefined) {
      write(direct, adds);
      return;
    }
    const turned = viewOf(results, permuteLayout(results, [1, 0, 2, 3]));
    withTemporary(device, turned.shape, (copy) => {
      write(this.#asResultMatrix(viewOf(copy, permuteLayout(copy, [1, 0, 2, 3]))) ?? copy, false);
      combine(device, copy, turned, adds ? turned : undefined);
    });
  }
}
