import type { Device, View } from '../../devices/device.js';
import type { Pair, WindowShape } from '../../kernels/windows.js';
import { combine, viewOf, withTemporary } from '../compute.js';
import { contribute, type Differentiable, Targets } from '../gradients.js';
import {
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
    this.isInner = groups === 1 && (images.shape[1] ?? 1) > 1 && images.strides[1] === 1;
    this.#images = images.shape[0] ?? 1;
    const [outputs = 1] = kernels;
    this.stored = this.isInner ? [this.#images, ...counts, outputs] : [this.#images, outputs, ...counts];
  }

  /** What is stored as [images, outputs, rows, columns]. */
  shown<L extends Layout>(stored: L): L {
    return this.isInner ? { ...stored, ...permuteLayout(stored, [0, 3, 1, 2]) } : stored;
  }

  forward(device: Device, images: View, kernels: View, results: View): void {
    this.#withKernels(device, kernels, (kernelMatrix) =>
      this.#eachPart(device, (part, windows, windowMatrix) => {
        device.unfold(this.#windows, part(images), windows);
        this.#withResults(device, part(results), 'writes', (matrix) =>
          multiply(device, kernelMatrix, windowMatrix, matrix, false),
        );
      }),
    );
  }

  /** Adds the gradient of the kernels. */
  learn(tracker: Tracker, images: View, gradient: View, { source, layout }: Differentiable): void {
    const { device } = tracker;
    const add = (target: View, accumulate: boolean): void => {
      const sums = this.#asKernelMatrix(target);
      this.#eachPart(device, (part, windows, windowMatrix, isFirst) => {
        device.unfold(this.#windows, part(images), windows);
        this.#withResults(device, part(gradient), 'reads', (matrix) =>
          multiply(device, matrix, swapped(windowMatrix), sums, accumulate || !isFirst),
        );
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
          this.#withResults(device, part(gradient), 'reads', (matrix) =>
            multiply(device, swapped(kernelMatrix), matrix, windowMatrix, false),
          );
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

  /** With results of some images as [groups, outputs, positions], which are copied where they do not lie so. */
  #withResults(device: Device, results: View, mode: 'reads' | 'writes', body: (matrix: View) => void): void {
    const [images = 1, outputs = 1, rows = 1, columns = 1] = results.shape;
    const shape = [this.#groups, outputs / this.#groups, images * rows * columns];
    const turned = viewOf(results, permuteLayout(results, [1, 0, 2, 3]));
    const matrix = reshapeLayout(turned, shape);
    if (matrix !== undefined) {
      body(viewOf(results, matrix));
      return;
    }
    withTemporary(device, turned.shape, (copy) => {
      if (mode === 'reads') combine(device, turned, copy, undefined);
      body(viewOf(copy, packed(shape)));
      if (mode === 'writes') combine(device, copy, turned, undefined);
    });
  }
}
