import { SluiceError } from '../base/errors.js';
import type { Device, View } from '../devices/device.js';
import { type MapKernel, mapKernel } from '../kernels/kernel.js';
import { named } from '../kernels/names.js';
import { checkpointName, type NamedParameter } from '../layers/layer.js';
import { type Expression, substitute, variable } from '../scalar/expression.js';
import { simplify } from '../scalar/simplify.js';
import { endStep, full, type Tensor } from '../tensor/index.js';
import { SideBySide } from '../tensor/side-by-side.js';
import { GradientNorm } from './gradient-norm.js';
import { UpdateRule } from './update-rule.js';
import { adamw, updateRules } from './update-rules.js';

const coefficient = variable('coefficient');
/** A coefficient below 0 says that the gradient is not finite: then nothing changes. */
const unlessSkipped = (updated: Expression, old: string): Expression =>
  coefficient.whereLess(0, variable(old), substitute(updated, { gradient: variable('gradient').mul(coefficient) }));

/** Everything that a rule does to a weight, as one kernel. */
function kernelOf({ name, weight, state, shared, scalars }: UpdateRule): MapKernel {
  const outputs = [
    ['weight', weight] as const,
    ...Object.entries(state).map(([key, { next }]) => [key, next] as const),
  ];
  const parts = {
    inputs: ['weight', 'gradient', ...Object.keys(state), 'coefficient', ...Object.keys(shared)],
    scalars: ['lr', ...scalars],
    outputs: outputs.map(([old, updated]) => simplify(unlessSkipped(updated, old))),
  };
  return named(mapKernel(parts), name);
}

/** Parameters that lie side by side and decay alike, and what is remembered of them, in the order of the rule's. */
interface Block {
  readonly weights: SideBySide;
  readonly decays: boolean;
  readonly state: readonly Tensor[];
}

/**
 * Trains parameters by a rule, clipping by the global norm included. Whether a step is applied is decided on the device, so
 * that a step need not read anything back.
 * @example const optimizer = new Optimizer(device, model.namedParameters(), sgd({ momentum: 0.9, nesterov: true }));
 */
export class Optimizer implements Disposable {
  readonly rule: UpdateRule;
  readonly #device: Device;
  readonly #parameters: readonly NamedParameter[];
  readonly #blocks: readonly Block[];
  readonly #norm: GradientNorm;
  readonly #kernel: MapKernel;

  /** @throws SluiceError `argument` for what is no rule. */
  constructor(device: Device, parameters: readonly NamedParameter[], rule: UpdateRule = adamw()) {
    if (!(rule instanceof UpdateRule)) {
      throw new SluiceError('argument', {
        rule: 'an optimizer has an update rule',
        received: rule,
        remedy: `Make one by ${Object.keys(updateRules).join(', ')}: for example adamw({ weightDecay: 0.1 }).`,
      });
    }
    this.rule = rule;
    this.#kernel = kernelOf(rule);
    this.#device = device;
    this.#parameters = parameters;
    this.#blocks = [true, false].flatMap((decays) => {
      const alike = parameters.filter(({ decay }) => decay === decays);
      return SideBySide.of(alike.map(({ tensor }) => tensor)).map((weights): Block => {
        const state = Object.values(rule.state).map(({ initial }) => full(device, [weights.size], initial).keep());
        return { weights, decays, state };
      });
    });
    this.#norm = new GradientNorm(
      device,
      this.#blocks.map(({ weights }) => weights),
      rule,
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
  #update({ weights, decays, state }: Block, learningRate: number): void {
    const { rule } = this;
    const [values, gradients] = [weights.values(), weights.gradients()];
    const scalars = rule.scalars.map((name) => (name === 'weightDecay' && !decays ? 0 : rule.valueOf(name)));
    const shared = [this.#norm.coefficient, ...this.#norm.shared].map((tensor) => tensor.strided());
    for (const { start, size } of weights.ranges()) {
      const window = (view: View): View => ({ ...view, offset: view.offset + start, shape: [size] });
      const outputs = [values, ...state.map((tensor) => tensor.strided())].map(window);
      const [weight = values, ...remembered] = outputs;
      const repeated = shared.map((view): View => ({ ...view, shape: [size], strides: [0] }));
      const inputs = [weight, window(gradients), ...remembered, ...repeated];
      this.#device.map(this.#kernel, inputs, [learningRate, ...scalars], outputs);
    }
    weights.change();
  }

  /** Everything a checkpoint holds of the optimizer, by name. */
  state(): Map<string, Tensor> {
    const tensors = new Map<string, Tensor>([['step', this.#norm.applied]]);
    const names = Object.keys(this.rule.state).map(checkpointName);
    for (const { name, tensor } of this.#parameters) {
      for (const { weights, state } of this.#blocks) {
        const part = weights.parts.find((one) => one.tensor === tensor);
        if (part === undefined) continue;
        state.forEach((all, i) => {
          const own = all.slice(0, part.start, part.start + tensor.size).view(tensor.shape);
          tensors.set(`${names[i]}.${name}`, own);
        });
      }
    }
    return tensors;
  }

  /** Gives back its memory; the parameters stay. */
  dispose(): void {
    this.#norm.dispose();
    for (const { state } of this.#blocks) for (const tensor of state) tensor.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
