import type { View } from '../../devices/device.js';
import type { Pair, WindowShape } from '../../kernels/windows.js';
import { startNode } from '../autograd.js';
import { viewOf } from '../compute.js';
import { Targets } from '../gradients.js';
import { type Layout, packed, permuteLayout } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { layoutOf } from './copies.js';
import type { WindowOptions } from './windows.js';

/** Whether the channels lie side by side. */
export const isStoredInner = ({ shape, strides }: Layout): boolean => (shape[1] ?? 1) > 1 && strides[1] === 1;

/**
 * The elements of all windows of images [images, channels, height, width], one tensor for each place in a window, row by
 * row: [images, channels, rows, columns], or with channels last where those of the images lie side by side. Behind the
 * padding follow zeros.
 */
export function elementsOfWindows(x: Tensor, kernel: Pair, options: WindowOptions, counts: Pair): Tensor[] {
  const [images = 1, channels = 1] = x.shape;
  const [[top], [left]] = options.padding;
  const shape: WindowShape = { ...options, padding: [top, left] };
  const isInner = isStoredInner(x);
  const stored = isInner ? [...kernel, images, ...counts, channels] : [...kernel, images, channels, ...counts];
  /** As the device takes it. */
  const asWindows = (view: View): View =>
    viewOf(view, permuteLayout(packed(stored), isInner ? [5, 0, 1, 2, 3, 4] : [3, 0, 1, 2, 4, 5]));
  const node = startNode('windows', [x]);
  const made = x.make('float32', stored, node?.output(stored));
  const { device, source, storage } = x;
  device.unfold(shape, x.strided(), asWindows(made.strided()));
  if (node !== undefined && source !== undefined) {
    const input = { source, layout: layoutOf(x) };
    node.finish([], ([cotangent]) => {
      if (cotangent === undefined) return;
      const targets = new Targets(storage.tracker, [input], { mode: 'accumulates' });
      for (const { output, previous } of targets.all)
        device.fold(shape, asWindows(cotangent.view), output, previous !== undefined);
      targets.close();
    });
  }
  return made
    .reshape([-1, ...stored.slice(2)])
    .chunk(kernel[0] * kernel[1], 0)
    .map((part) => part.squeeze(0));
}
