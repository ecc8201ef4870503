import { SluiceError, show } from '../../base/errors.js';
import { startNode } from '../autograd.js';
import type { Differentiable } from '../gradients.js';
import { internal } from '../scopes.js';
import { isPacked, type Layout, type Shape } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { ConvolutionProducts } from './convolution-products.js';
import { layoutOf, withSuited } from './copies.js';
import { checkDevice, checkFloat } from './operands.js';
import { type WindowOptions, windowsOn } from './windows.js';

export interface ConvolutionOptions extends WindowOptions {
  /** Input and output channels are cut into as many groups, each of which sees nothing of the others. */
  readonly groups: number;
}

/**
 * The cross-correlation of images [images, channels, height, width] with kernels [outputs, channels / groups,
 * kernelHeight, kernelWidth]: [images, outputs, rows, columns]. Where the channels of the images lie side by side, those
 * of the result do. It is a product over the images' windows, of a part of them at a time; none are kept for backward().
 * @param bias [outputs]
 * @throws SluiceError `shape` where channels or groups do not fit, or the kernel is larger than the images.
 */
export function convolve(x: Tensor, weight: Tensor, bias: Tensor | undefined, options: ConvolutionOptions): Tensor {
  const operands = bias === undefined ? [x, weight] : [x, weight, bias];
  checkDevice('a convolution', x, operands);
  checkFloat('a convolution', operands);
  checkBias(weight.shape, bias);
  checkChannels(x.shape, weight.shape, options.groups);
  const [, , kernelHeight = 1, kernelWidth = 1] = weight.shape;
  const counts = windowsOn('a convolution', x.shape, [kernelHeight, kernelWidth], options);
  return internal(() =>
    withSuited(weight, isPacked(weight), (suited) => {
      const products = new ConvolutionProducts(x, suited.shape, counts, options);
      const result = record(x, suited, bias, products);
      return result.look(products.shown(layoutOf(result)));
    }),
  );
}

function checkChannels(image: Shape, weight: Shape, groups: number): void {
  const [outputs = 0, own = 0] = weight;
  const refuse = (rule: string, received: unknown, remedy: string): never => {
    throw new SluiceError('shape', { rule, received, remedy });
  };
  if (image.length !== 4 || weight.length !== 4)
    refuse(
      'a convolution takes images [images, channels, height, width] and kernels [outputs, channels, height, width]',
      [image, weight],
      'Put axes of size 1 where one is missing, with unsqueeze().',
    );
  if (!Number.isSafeInteger(groups) || groups < 1 || outputs % groups !== 0)
    refuse(
      `the groups of a convolution divide its ${outputs} outputs`,
      groups,
      'Use 1 group, or as many as input channels.',
    );
  if (image[1] !== own * groups)
    refuse(
      `a convolution of kernels ${show(weight)}${groups === 1 ? '' : ` in ${groups} groups`} takes images of ${own * groups} channels`,
      image,
      'The channels are the second axis: transpose what has them last, or make the layer for its channels.',
    );
}

function checkBias([outputs]: Shape, bias: Tensor | undefined): void {
  if (bias === undefined || (bias.shape.length === 1 && bias.shape[0] === outputs)) return;
  throw new SluiceError('shape', {
    rule: `the bias of a convolution of ${outputs} outputs is [${outputs}]`,
    received: bias.shape,
    remedy: 'Give a number for each output, or leave it out.',
  });
}

const differentiable = ({ source }: Tensor, layout: Layout): Differentiable | undefined =>
  source === undefined ? undefined : { source, layout };

/** The result as it is stored. */
function record(x: Tensor, weight: Tensor, bias: Tensor | undefined, products: ConvolutionProducts): Tensor {
  const node = startNode('convolution', bias === undefined ? [x, weight] : [x, weight, bias]);
  const result = x.make('float32', products.stored, node?.output(products.stored));
  const [image, kernels] = [x.strided(), weight.strided()];
  products.forward(x.device, image, kernels, bias?.strided(), result.strided());
  if (node === undefined) return result;
  const [input, learned] = [differentiable(x, layoutOf(x)), differentiable(weight, layoutOf(weight))];
  const added = bias && differentiable(bias, layoutOf(bias));
  const saved = [...(learned ? [x.storage] : []), ...(input ? [weight.storage] : [])];
  const { tracker } = x.storage;
  node.finish(saved, ([cotangent]) => {
    if (cotangent === undefined) return;
    products.withTurned(x.device, cotangent.view, (gradient) => {
      if (added !== undefined) products.learnBias(tracker, gradient, added);
      if (learned !== undefined) products.learn(tracker, image, gradient, learned);
      if (input !== undefined) products.backward(tracker, kernels, gradient, input);
    });
  });
  return result;
}
