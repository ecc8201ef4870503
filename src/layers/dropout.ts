import { selu } from '../activations/exponential.js';
import { SluiceError } from '../base/errors.js';
import { constant, type Expression, variables } from '../scalar/expression.js';
import { internal, mapTensors, type Tensor } from '../tensor/index.js';
import { type Mode, noiseLike } from './mode.js';

const [x, noise, probability] = variables('x', 'noise', 'probability');
const dropped = noise.whereLess(probability, 0, x.div(constant(1).sub(probability)));

/** Zeros each element with that probability in training and scales the rest. Source: Srivastava 2014. */
export const dropout = (input: Tensor, probability: number, mode: Mode): Tensor =>
  dropElements('dropout', dropped, input, probability, mode);

/** SELU's value far to the left, where dropped units are put. */
const floor = (selu.parameters['scale']?.value ?? 0) * (selu.parameters['alpha']?.value ?? 0);
const kept = constant(1).sub(probability);
const scale = constant(1).div(kept.add(probability.mul(kept).mul(floor ** 2)).sqrt());
const alphaDropped = scale.mul(noise.whereLess(probability, -floor, x).add(probability.mul(floor)));

/** Dropout that keeps SELU's mean 0 and variance 1. Source: Klambauer 2017, arXiv:1706.02515. */
export const alphaDropout = (input: Tensor, probability: number, mode: Mode): Tensor =>
  dropElements('alphaDropout', alphaDropped, input, probability, mode);

function dropElements(operation: string, formula: Expression, input: Tensor, probability: number, mode: Mode): Tensor {
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
    return mapTensors([formula], operands, { probability }, { operation })[0];
  });
}
