import { SluiceError } from '../base/errors.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import type { Device, View } from '../devices/device.js';
import { mapKernel } from '../kernels/kernel.js';
import { named } from '../kernels/names.js';
import type { NamedParameter } from '../layers/layer.js';
import { constant, type Expression, variables } from '../scalar/expression.js';
import { simplify } from '../scalar/simplify.js';
import { endStep, type Tensor, zeros } from '../tensor/index.js';
import { SideBySide } from '../tensor/side-by-side.js';
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

const update = named(
  mapKernel({
    inputs: ['weight', 'gradient', 'first', 'second', 'coefficient', 'correction1', 'correction2'],
    scalars: ['lr', 'beta1', 'beta2', 'epsilon', 'decay'],
    outputs: [unlessSkipped(newWeight, weight), unlessSkipped(newFirst, first), unlessSkipped(newSecond, second)].map(
      simplify,
    ),
  }),
  'AdamW',
);

/** Parameters that lie side by side and decay alike, and their moments. */
interface Block {
  readonly weights: SideBySide;
  readonly decays: boolean;
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
  readonly #parameters: readonly NamedParameter[];
  readonly #blocks: readonly Block[];
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
    this.#parameters = parameters;
    this.#blocks = [true, false].flatMap((decays) => {
      const alike = parameters.filter(({ decay }) => decay === decays);
      return SideBySide.of(alike.map(({ tensor }) => tensor)).map((weights): Block => {
        const moments = (): Tensor => zeros(device, [weights.size]).keep();
        return { weights, decays, first: moments(), second: moments() };
      });
    });
    this.#norm = new GradientNorm(
      device,
      this.#blocks.map(({ weights }) => weights),
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
    for (const { tensor } of this.#parameters) tensor.zeroGrad();
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
    for (const block of this.#blocks) this.#update(block, learningRate);
    endStep(this.#device);
  }

  /** In one kernel, unless a parameter has no gradient: it stays as it is. */
  #update({ weights, decays, first, second }: Block, learningRate: number): void {
    const { beta1, beta2, epsilon, weightDecay } = this.options;
    const { coefficient, correction1, correction2 } = this.#norm;
    const [values, gradients] = [weights.values(), weights.gradients()];
    const scalars = [learningRate, beta1, beta2, epsilon, decays ? weightDecay : 0];
    const shared = [coefficient, correction1, correction2].map((tensor) => tensor.strided());
    for (const { start, size } of weights.ranges()) {
      const window = (view: View): View => ({ ...view, offset: view.offset + start, shape: [size] });
      const outputs = [values, first.strided(), second.strided()].map(window);
      const [weight = values, ...moments] = outputs;
      const repeated = shared.map((view): View => ({ ...view, shape: [size], strides: [0] }));
      this.#device.map(update, [weight, window(gradients), ...moments, ...repeated], scalars, outputs);
    }
    weights.change();
  }

  /** Everything a checkpoint holds of the optimizer, by name. */
  state(): Map<string, Tensor> {
    const tensors = new Map<string, Tensor>([['applied', this.#norm.applied]]);
    for (const { name, tensor } of this.#parameters) {
      for (const { weights, first, second } of this.#blocks) {
        const part = weights.parts.find((one) => one.tensor === tensor);
        if (part === undefined) continue;
        const window = (moments: Tensor): Tensor =>
          moments.slice(0, part.start, part.start + tensor.size).view(tensor.shape);
        tensors.set(`first.${name}`, window(first));
        tensors.set(`second.${name}`, window(second));
      }
    }
    return tensors;
  }

  /** Gives back its memory; the parameters stay. */
  dispose(): void {
    this.#norm.dispose();
    for (const { first, second } of this.#blocks) {
      first.dispose();
      second.dispose();
    }
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
