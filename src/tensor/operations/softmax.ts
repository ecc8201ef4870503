import type { RowFunction } from '../../activations/kinds.js';
import * as formulas from '../../activations/rows.js';
import type { Expression } from '../../scalar/expression.js';
import { internal } from '../scopes.js';
import { toAxis } from '../shape.js';
import type { Tensor } from '../tensor.js';
import { rowTensors } from './rows.js';

/** A row function of the catalogue along an axis. */
const along = ({ name, expression }: RowFunction) => {
  const outputs: readonly [Expression] = [expression];
  return (input: Tensor, axis: number): Tensor => {
    const last = input.shape.length - 1;
    const position = toAxis(name, axis, last + 1);
    if (position === last) return rowTensors(outputs, { elements: { x: input } }, {}, name)[0];
    return internal(() => {
      const elements = { x: input.transpose(position, last) };
      return rowTensors(outputs, { elements }, {}, name)[0].transpose(position, last);
    });
  };
};

/** exp(x) / sum(exp(x)) along an axis. */
export const softmax = along(formulas.softmax);

/** The logarithm of softmax, without taking it. */
export const logSoftmax = along(formulas.logSoftmax);
