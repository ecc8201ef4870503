import type { WindowShape } from '../kernels/windows.js';
import type { View } from './device.js';

/**
 * Whether channels lie side by side in images and windows: then windows are taken channel by channel within a pixel,
 * else row by row within a channel.
 */
export const areChannelsInner = (image: View, windows: View): boolean =>
  image.strides[1] === 1 && windows.strides[0] === 1;

/** All that kernels ask of windows beside the two addresses, in the order in which they read it; strides in elements. */
export function windowNumbers(shape: WindowShape, image: View, windows: View): number[] {
  const [images = 0, channels = 0, height = 0, width = 0] = image.shape;
  const [, kernelHeight = 0, kernelWidth = 0, , rows = 0, columns = 0] = windows.shape;
  return [
    ...[images, channels, height, width, kernelHeight, kernelWidth, rows, columns],
    ...[...shape.stride, ...shape.padding, ...shape.dilation, ...image.strides, ...windows.strides],
  ];
}
