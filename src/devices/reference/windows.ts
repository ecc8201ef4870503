import type { WindowShape } from '../../kernels/windows.js';
import type { View } from '../device.js';
import { valuesOf } from './buffer.js';
import { positions } from './walk.js';

/** Calls back with the place of each element of the windows, and that of its pixel if it is in the image. */
function eachElement(
  { stride, padding, dilation }: WindowShape,
  image: View,
  windows: View,
  visit: (element: number, pixel: number | undefined) => void,
): void {
  const [, , height = 0, width = 0] = image.shape;
  const [imageStride = 0, channelStride = 0, rowStride = 0, columnStride = 0] = image.strides;
  const [channels = 0, kernelHeight = 0, kernelWidth = 0, images = 0, rows = 0, columns = 0] = windows.shape;
  const places = positions(windows);
  let next = 0;
  for (let c = 0; c < channels; c++)
    for (let ky = 0; ky < kernelHeight; ky++)
      for (let kx = 0; kx < kernelWidth; kx++)
        for (let i = 0; i < images; i++)
          for (let row = 0; row < rows; row++)
            for (let column = 0; column < columns; column++) {
              const y = row * stride[0] - padding[0] + ky * dilation[0];
              const x = column * stride[1] - padding[1] + kx * dilation[1];
              const isInside = y >= 0 && y < height && x >= 0 && x < width;
              const pixel = image.offset + i * imageStride + c * channelStride + y * rowStride + x * columnStride;
              visit(places[next++] ?? 0, isInside ? pixel : undefined);
            }
}

export function unfold(shape: WindowShape, image: View, windows: View): void {
  const [from, to] = [valuesOf(image), valuesOf(windows)];
  eachElement(shape, image, windows, (element, pixel) => {
    to[element] = pixel === undefined ? 0 : (from[pixel] ?? Number.NaN);
  });
}

export function fold(shape: WindowShape, windows: View, image: View, accumulate: boolean): void {
  const [from, to] = [valuesOf(windows), valuesOf(image)];
  if (!accumulate) for (const pixel of positions(image)) to[pixel] = 0;
  eachElement(shape, image, windows, (element, pixel) => {
    if (pixel !== undefined) to[pixel] = (to[pixel] ?? Number.NaN) + (from[element] ?? Number.NaN);
  });
}
