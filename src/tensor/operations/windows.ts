import { SluiceError, show } from '../../base/errors.js';
import type { Pair, WindowShape } from '../../kernels/windows.js';
import type { Shape } from '../shape.js';

/** How windows lie on an image; padding is what is thought before and behind it, vertically and horizontally. */
export interface WindowOptions extends Omit<WindowShape, 'padding'> {
  readonly padding: readonly [vertical: Pair, horizontal: Pair];
}

/**
 * How many windows an image has, vertically and horizontally.
 * @param roundUp counts a last window that is not all on the padded image, but begins on it or on the padding before it
 * @throws SluiceError `argument` for a stride or dilation below 1 or a negative padding; `shape` where none fits.
 */
export function windowsOn(
  operation: string,
  image: Shape,
  kernel: Pair,
  { stride, padding, dilation }: WindowOptions,
  roundUp = false,
): Pair {
  requireWhole(operation, 'kernel', kernel, 1);
  requireWhole(operation, 'stride', stride, 1);
  requireWhole(operation, 'dilation', dilation, 1);
  requireWhole(operation, 'padding', padding.flat(), 0);
  const count = (axis: 0 | 1): number => {
    const [before, after] = padding[axis];
    const size = image[image.length - 2 + axis] ?? 1;
    const reach = dilation[axis] * (kernel[axis] - 1) + 1;
    const steps = (size + before + after - reach) / stride[axis];
    const whole = Math.floor(steps) + 1;
    const isPart = roundUp && !Number.isInteger(steps) && whole * stride[axis] < size + before;
    return isPart ? whole + 1 : whole;
  };
  const counts: Pair = [count(0), count(1)];
  if (Math.min(...counts) > 0) return counts;
  const spread = dilation.some((step) => step > 1) ? ` with dilation ${show(dilation)}` : '';
  throw new SluiceError('shape', {
    rule: `${operation}: a kernel of ${show(kernel)}${spread} fits into the image with its padding ${show(padding.map(sum))}`,
    received: image,
    remedy: 'Use a smaller kernel, more padding, or larger images: fewer strides or pooling layers before it.',
  });
}

const sum = (sizes: readonly number[]): number => sizes.reduce((total, size) => total + size, 0);

function requireWhole(operation: string, name: string, sizes: readonly number[], least: number): void {
  const odd = sizes.find((size) => !(Number.isSafeInteger(size) && size >= least));
  if (odd === undefined) return;
  throw new SluiceError('argument', {
    rule: `the ${name} of ${operation} is a whole number from ${least} on`,
    received: odd,
    remedy: `Leave it out for the usual one, or write for example ${name}: ${least + 1}.`,
  });
}
