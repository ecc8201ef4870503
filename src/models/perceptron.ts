/**
 * The perceptron: one threshold unit and the rule that finds its weights, if there are any. Its derivative is zero, so no
 * gradient moves it; the rule moves it at each mistake, and stops after finitely many where a hyperplane parts the classes
 * (Novikoff 1962), else never. Source: Rosenblatt 1958.
 */
import type { Activation } from '../activations/kinds.js';
import { sign, step } from '../activations/threshold.js';
import { SluiceError } from '../base/errors.js';
import { checkChoice, completeOptions, type OptionTable } from '../base/options.js';
import type { Device } from '../devices/device.js';
import { Initializer } from '../layers/initialization.js';
import { Layer } from '../layers/layer.js';
import { requireWidth } from '../layers/shapes.js';
import { type Expression, variables } from '../scalar/expression.js';
import { internal, noGrad, rowTensors, scope, type Tensor } from '../tensor/index.js';

/** The outputs of the unit, for its two classes. */
export const perceptronOutputs = { '0/1': step, '-1/1': sign } as const satisfies Record<string, Activation>;
export type PerceptronOutputs = keyof typeof perceptronOutputs;

export interface PerceptronOptions {
  /** Numbers of an example. */
  readonly inputs: number;
  /** '0/1' by default. */
  readonly outputs?: PerceptronOutputs;
}

const perceptronDefaults = { inputs: undefined, outputs: '0/1' } satisfies OptionTable<PerceptronOptions>;

const [x, weight, bias, target, rate] = variables('x', 'weight', 'bias', 'target', 'rate');
const potential = x.mul(weight).sum().add(bias);

/** Rosenblatt's rule: at a mistake the example is added to the weights, or taken away. */
function ruleOf(unit: Activation): readonly [weight: Expression, bias: Expression] {
  const error = target.sub(unit.of(potential));
  return [weight.add(rate.mul(error).mul(x)), bias.add(rate.mul(error))];
}

export class Perceptron extends Layer {
  /** [1, inputs] */
  readonly weight: Tensor;
  /** [1] */
  readonly bias: Tensor;
  readonly unit: Activation;
  readonly #rule: readonly [Expression, Expression];

  /** Weights start at 0, so that the learning rate changes their length alone. */
  constructor(init: Initializer, options: PerceptronOptions) {
    super();
    const { inputs, outputs } = completeOptions('Perceptron', options, perceptronDefaults);
    checkChoice('the outputs of a perceptron', outputs, Object.keys(perceptronOutputs));
    this.weight = init.constant([1, inputs], 0);
    this.bias = init.constant([1], 0);
    this.unit = perceptronOutputs[outputs];
    this.#rule = ruleOf(this.unit);
  }

  /** The outputs for its classes, 0 and 1 or -1 and 1, in that order. */
  get outputs(): readonly [number, number] {
    return this.unit === sign ? [-1, 1] : [0, 1];
  }

  /** [count, inputs] to [count]: the unit's output for each example. */
  forward(examples: Tensor): Tensor {
    requireWidth('a perceptron', this.weight, examples);
    const operands = { elements: { x: examples }, columns: { weight: this.weight.reshape([-1]) } };
    const bias = this.bias.expand([examples.shape[0] ?? 0]);
    return internal(() => rowTensors([this.unit.of(potential)], { ...operands, rows: { bias } }, {}, 'perceptron')[0]);
  }

  /**
   * One pass of the rule over the examples, one after the other: each meets the weights that those before it left.
   * @param examples [count, inputs]
   * @param targets [count], of `outputs`
   */
  learn(examples: Tensor, targets: Tensor, rate = 1): void {
    requireWidth('a perceptron', this.weight, examples);
    const [count = 0] = examples.shape;
    if (targets.shape.length !== 1 || targets.size !== count) {
      throw new SluiceError('shape', {
        rule: `a perceptron takes a target for each of its ${count} examples`,
        received: targets.shape,
        remedy: 'Give one output a row, as [count].',
      });
    }
    noGrad(() => {
      for (let i = 0; i < count; i++)
        scope(examples.device, () => this.#meet(examples.slice(0, i, i + 1), targets.slice(0, i, i + 1), rate));
    });
  }

  #meet(x: Tensor, target: Tensor, rate: number): void {
    const [weight, bias] = rowTensors(
      this.#rule,
      { elements: { x, weight: this.weight }, rows: { bias: this.bias, target } },
      { rate },
      'perceptron',
    );
    if (weight !== undefined) this.weight.write(weight);
    if (bias !== undefined) this.bias.write(bias);
  }
}

/** A new perceptron, its weights 0. */
export const perceptron = (device: Device, options: PerceptronOptions): Perceptron =>
  new Perceptron(new Initializer(device, 0), options);
