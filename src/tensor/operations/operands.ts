/** What operations ask of the tensors they are given. */
import { SluiceError, show } from '../../base/errors.js';
import type { Source } from '../autograd.js';
import { sameShape } from '../shape.js';
import type { Tensor } from '../tensor.js';

/** The tensors must be on one device; the first tells which. */
export function checkDevice(operation: string, first: Tensor, others: readonly Tensor[]): void {
  const stranger = others.find(({ device }) => device !== first.device);
  if (stranger === undefined) return;
  throw new SluiceError('device', {
    rule: `${operation} takes tensors of one device`,
    received: [first.device.name, stranger.device.name],
    remedy: 'Read one with toArray() and make it anew on the other device.',
  });
}

/** Holds that all are float32: int32 tensors are indices and targets, and kernels would read their bits as floats. */
export function checkFloat(operation: string, tensors: readonly Tensor[]): void {
  const whole = tensors.find(({ dtype }) => dtype !== 'float32');
  if (whole === undefined) return;
  throw new SluiceError('argument', {
    rule: `${operation} computes with float32 tensors`,
    received: `${whole.dtype} ${show(whole.shape)}`,
    remedy: "Make it with dtype 'float32', or convert it: zeros(device, x.shape).write(x).",
  });
}

/** Holds that indices, tokens or targets are int32. */
export function checkWhole(operation: string, role: string, tensor: Tensor): void {
  if (tensor.dtype === 'int32') return;
  throw new SluiceError('argument', {
    rule: `${operation} takes int32 ${role}`,
    received: `${tensor.dtype} ${show(tensor.shape)}`,
    remedy: `Make the ${role} with dtype 'int32', or from an Int32Array.`,
  });
}

/** Holds that a tensor can become a leaf, or cease to be one. */
export function checkLeaf(tensor: Tensor): void {
  const isResult = tensor.requiresGrad && !tensor.isLeaf;
  if (!isResult && tensor.dtype === 'float32' && tensor.isContiguous) return;
  throw new SluiceError('argument', {
    rule: 'requiresGrad is set on contiguous float32 tensors that are not results of recorded operations',
    received: `${tensor.dtype} ${show(tensor.shape)} with strides ${show(tensor.strides)}`,
    remedy: isResult ? 'Use detach().' : 'Use clone() first.',
  });
}

/** Holds that backward() can start from a result with a gradient that is given; gives the result's source. */
export function checkGradient(result: Tensor, gradient: Tensor | undefined): Source {
  const { source } = result;
  if (source === undefined) {
    throw new SluiceError('argument', {
      rule: 'backward() starts from a result that depends on a tensor with requiresGrad',
      received: `a tensor ${show(result.shape)} that does not`,
      remedy: 'Set requiresGrad on the leaves before computing, outside noGrad().',
    });
  }
  if (gradient === undefined ? result.size !== 1 : !sameShape(gradient.shape, result.shape)) {
    throw new SluiceError('shape', {
      rule: `backward() of a tensor ${show(result.shape)} takes a gradient of its shape, which only one element can do without`,
      received: gradient?.shape ?? 'none',
      remedy: 'Reduce it with sum() or mean(), or give a gradient.',
    });
  }
  if (gradient === undefined) return source;
  checkDevice('backward', result, [gradient]);
  checkFloat('backward', [gradient]);
  return source;
}
