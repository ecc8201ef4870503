import { SluiceError, show } from '../base/errors.js';
import type { Tensor } from '../tensor/index.js';

/** Holds that the input's last axis is that of the layer's weight; the error names the layer and both shapes. */
export function requireWidth(layer: string, weight: Tensor, x: Tensor): void {
  const width = weight.shape.at(-1);
  if (x.shape.at(-1) === width) return;
  throw new SluiceError('shape', {
    rule: `${layer} of weight ${show(weight.shape)} takes a last axis of ${width}`,
    received: x.shape,
    remedy: 'Is an operand outside the brackets it belongs in?',
  });
}

/** Holds that an input has the axes named, each of its size where one is given. */
export function requireAxes(layer: string, axes: Readonly<Record<string, number | undefined>>, x: Tensor): void {
  const sizes = Object.values(axes);
  const fits = x.shape.length === sizes.length && sizes.every((size, i) => size === undefined || size === x.shape[i]);
  if (fits) return;
  const expected = Object.entries(axes).map(([name, size]) => (size === undefined ? name : `${name} ${size}`));
  throw new SluiceError('shape', {
    rule: `${layer} takes [${expected.join(', ')}]`,
    received: x.shape,
    remedy: 'Reshape or transpose the tensor, or make the layer for its sizes.',
  });
}
