import { SluiceError } from '../base/errors.js';
import { constant, variables } from '../scalar/expression.js';
import { internal, mapTensors, type Tensor } from '../tensor/index.js';
import { type Mode, noiseLike } from './mode.js';

const [x, noise, probability] = variables('x', 'noise', 'probability');
const dropped = noise.whereLess(probability, 0, x.div(constant(1).sub(probability)));

/** Zeros each element with that probability in training and scales the rest. Source: Srivastava 2014. */
export function dropout(input: Tensor, probability: number, mode: Mode): Tensor {
  if (!(probability >= 0 && probability < 1)) {
    throw new SluiceError('argument', {
      rule: 'a dropout probability is at least 0 and below 1',
      received: probability,
      remedy: 'Try 0.1, or 0 for none.',
    });
  }
  if (!mode.training || probability === 0) return input;
  return internal(() => {
    const operands = { x: input, noise: noiseLike(input, mode) };
    return mapTensors([dropped], operands, { probability }, { operation: 'dropout' })[0];
  });
}
