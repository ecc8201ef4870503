import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import type { NamedParameter } from '../layers/layer.js';
import { constant, type Expression, variables } from '../scalar/expression.js';
import { endStep, mapInto, type Tensor, zeros } from '../tensor/index.js';
import { GradientNorm } from './gradient-norm.js';

export interface AdamWOptions {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** The largest global norm of the gradient; 0 for no clipping. */
  readonly clip: number;
}

const adamwDefaults = {
  beta1: 0.9,
  beta2: 0.95,
  epsilon: 1e-8,
  weightDecay: 0.1,
  clip: 1,
} satisfies OptionTable<AdamWOptions>;

const [weight, gradient, first, second] = variables('weight', 'gradient', 'first', 'second');
const [coefficient, correction1, correction2] = variables('coefficient', 'correction1', 'correction2');
const [lr, beta1, beta2, epsilon, decay] = variables('lr', 'beta1', 'beta2', 'epsilon', 'decay');

const one = constant(1);
const clipped = gradient.mul(coefficient);
const newFirst = beta1.mul(first).add(one.sub(beta1).mul(clipped));
const newSecond = beta2.mul(second).add(one.sub(beta2).mul(clipped).mul(clipped));
const direction = newFirst.div(correction1).div(newSecond.div(correction2).sqrt().add(epsilon));
const newWeight = weight.sub(lr.mul(direction.add(decay.mul(weight))));
/** A coefficient below 0 says that the gradient is not finite: then nothing changes. */
const unlessSkipped = (updated: Expression, old: Expression): Expression => coefficient.whereLess(0, old, updated);

const update = [unlessSkipped(newWeight, weight), unlessSkipped(newFirst, first), unlessSkipped(newSecond, second)];

interface Slot {
  readonly parameter: NamedParameter;
  readonly first: Tensor;
  readonly second: Tensor;
}

/**
 * Adam with decoupled weight decay, clipping by the global norm included. Source: Loshchilov and Hutter 2017,
 * arXiv:1711.05101. Whether a step is applied is decided on the device, so that a step need not read anything back.
 */
export class AdamW implements Disposable {
  readonly options: AdamWOptions;
  readonly #device: Device;
  readonly #slots: readonly Slot[];
  readonly #norm: GradientNorm;

  constructor(device: Device, parameters: readonly NamedParameter[], options: Partial<AdamWOptions> = {}) {
    this.options = completeOptions('AdamW', options, adamwDefaults);
    const { beta1, beta2 } = this.options;
    for (const [name, beta] of Object.entries({ beta1, beta2 })) {
      const remedy = `Leave it out for ${adamwDefaults[name as keyof AdamWOptions]}.`;
      if (!(beta < 1))
        throw new SluiceError('argument', { rule: `AdamW's ${name} is below 1`, received: beta, remedy });
    }
    for (const [name, value] of Object.entries(this.options)) {
      if (!(value >= 0 && Number.isFinite(value))) {
        const remedy = `Leave it out for ${adamwDefaults[name as keyof AdamWOptions]}.`;
        throw new SluiceError('argument', {
          rule: `AdamW's ${name} is a number of at least 0`,
          received: value,
          remedy,
        });
      }
    }
    this.#device = device;
    this.#slots = parameters.map((parameter) => ({
      parameter,
      first: zeros(device, parameter.tensor.shape).keep(),
      second: zeros(device, parameter.tensor.shape).keep(),
    }));
    this.#norm = new GradientNorm(
      device,
      this.#slots.map(({ parameter }) => parameter.tensor),
      this.options,
    );
  }

  /** The gradient's global norm before clipping, and how many steps have been applied; each [1]. */
  get gradientNorm(): Tensor {
    return this.#norm.norm;
  }
  get applied(): Tensor {
    return this.#norm.applied;
  }

  /** Forgets the gradients, keeping their memory. */
  zeroGrad(): void {
    for (const { parameter } of this.#slots) parameter.tensor.zeroGrad();
  }

  /** Applies the gradients with this learning rate and ends the step: what was made in it may then be reused. */
  step(learningRate: number, loss: Tensor): void {
    if (!(learningRate >= 0)) {
      throw new SluiceError('argument', {
        rule: 'a learning rate is at least 0',
        received: learningRate,
        remedy: 'Try 1e-3.',
      });
    }
    this.#norm.measure(loss);
    const { beta1, beta2, epsilon, weightDecay } = this.options;
    const { coefficient, correction1, correction2 } = this.#norm;
    for (const { parameter, first, second } of this.#slots) {
      const { tensor, decay } = parameter;
      if (tensor.grad === undefined) continue;
      mapInto(
        update,
        [tensor, first, second],
        { weight: tensor, gradient: tensor.grad, first, second, coefficient, correction1, correction2 },
        { lr: learningRate, beta1, beta2, epsilon, decay: decay ? weightDecay : 0 },
        'AdamW',
      );
    }
    endStep(this.#device);
  }

  /** Everything a checkpoint holds of the optimizer, by name. */
  state(): Map<string, Tensor> {
    const tensors = new Map<string, Tensor>([['applied', this.#norm.applied]]);
    for (const { parameter, first, second } of this.#slots) {
      tensors.set(`first.${parameter.name}`, first);
      tensors.set(`second.${parameter.name}`, second);
    }
    return tensors;
  }

  /** Gives back its memory; the parameters stay. */
  dispose(): void {
    this.#norm.dispose();
    for (const { first, second } of this.#slots) {
      first.dispose();
      second.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
