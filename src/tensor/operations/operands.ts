/** What operations ask of the tensors they are given. */
import { SluiceError, show } from '../../base/errors.js';
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

/** Holds that a tensor can be the gradient of a result that backward() starts from, and share its memory. */
export function checkGradient(result: Tensor, gradient: Tensor | undefined): void {
  if (gradient === undefined ? result.size !== 1 : !sameShape(gradient.shape, result.shape)) {
    throw new SluiceError('shape', {
      rule: `backward() of a tensor ${show(result.shape)} takes a gradient of its shape, which only one element can do without`,
      received: gradient?.shape ?? 'none',
      remedy: 'Reduce it with sum() or mean(), or give a gradient.',
    });
  }
  if (gradient === undefined) return;
  checkDevice('backward', result, [gradient]);
  checkFloat('backward', [gradient]);
}
