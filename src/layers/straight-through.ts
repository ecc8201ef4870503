import type { Activation } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import { type Expression, substitute, variable } from '../scalar/expression.js';
import { internal, mapTensors, type Tensor } from '../tensor/index.js';
import { Layer } from './layer.js';
import type { Mode } from './mode.js';

const [held, zero] = [variable('held'), variable('zero')];

/**
 * One activation going forward and the derivative of another going back: so threshold units learn inside a network,
 * whose own derivative is 0. Source: Bengio 2013, arXiv:1308.3432.
 */
export class StraightThrough extends Layer {
  readonly operation: string;
  /** Whose derivative goes back. */
  readonly surrogate: Activation;
  readonly #value: Expression;
  readonly #zero: Expression;

  /** @throws SluiceError `argument` for an activation with learned parameters or noise. */
  constructor(forward: Activation, backward: Activation) {
    super();
    for (const { name, learned, usesNoise } of [forward, backward]) {
      if (learned.length === 0 && !usesNoise) continue;
      throw new SluiceError('argument', {
        rule: 'a straight-through estimator is made of activations without learned parameters and noise',
        received: name,
        remedy: 'Use for example step going forward and hardTanh going back.',
      });
    }
    this.surrogate = backward;
    this.operation = `${forward.name} through ${backward.name}`;
    // `held` is x without its gradient: the difference is 0, and has the derivative of `backward`. It is a kernel of its
    // own, since a sum of three would be put into another order, and rounded.
    this.#zero = backward.expression.sub(substitute(backward.expression, { x: held }));
    this.#value = substitute(forward.expression, { x: held }).add(zero);
  }

  forward(_mode: Mode, x: Tensor): Tensor {
    const [operation, held] = [this.operation, x.detach()];
    return internal(() => {
      const [zero] = mapTensors([this.#zero], { x, held }, {}, { operation });
      return mapTensors([this.#value], { held, zero }, {}, { operation })[0];
    });
  }
}
