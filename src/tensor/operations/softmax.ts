import { variable } from '../../scalar/expression.js';
import { internal } from '../scopes.js';
import { toAxis } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { rowTensors } from './rows.js';

const x = variable('x');
const shifted = x.sub(x.maximum());
const weights = shifted.exp();
const softmaxRow = [weights.div(weights.sum())] as const;
const logSoftmaxRow = [shifted.sub(weights.sum().log())] as const;

const along = (input: Tensor, axis: number, outputs: typeof softmaxRow, operation: string): Tensor => {
  const last = input.shape.length - 1;
  const position = toAxis(operation, axis, last + 1);
  if (position === last) return rowTensors(outputs, { elements: { x: input } }, {}, operation)[0];
  return internal(() => {
    const elements = { x: input.transpose(position, last) };
    return rowTensors(outputs, { elements }, {}, operation)[0].transpose(position, last);
  });
};

/** exp(x) / sum(exp(x)) along an axis, shifted by the maximum. */
export const softmax = (input: Tensor, axis: number): Tensor => along(input, axis, softmaxRow, 'softmax');

/** The logarithm of softmax, without taking it. */
export const logSoftmax = (input: Tensor, axis: number): Tensor => along(input, axis, logSoftmaxRow, 'logSoftmax');
