import { xielu } from '../activations/exponential.js';
import type { Formula, RowFunction } from '../activations/kinds.js';
import { SluiceError } from '../base/errors.js';
import type { Expression } from '../scalar/expression.js';
import { internal, mapTensors, rowTensors, type Tensor } from '../tensor/index.js';
import { sameShape } from '../tensor/shape.js';
import type { Initializer } from './initialization.js';
import { Layer } from './layer.js';
import { type Mode, noiseLike } from './mode.js';
import { requireWidth } from './shapes.js';

/** PyTorch's name of a learned parameter where it is not the formula's: the slope of a PReLU. */
const checkpointNames: Readonly<Record<string, string>> = { slope: 'weight' };

/** An activation or a gate in a model, with its learned parameters as weights: one each, or one per channel. */
export class FormulaLayer extends Layer {
  readonly formula: Formula<'activation'> | Formula<'gate'>;
  readonly #noisy: Expression;
  readonly #quiet: Expression;
  /** The learned parameters by their names in the formula. */
  readonly learned: Readonly<Record<string, Tensor>>;

  constructor(init: Initializer, formula: Formula<'activation'> | Formula<'gate'>, channels = 1) {
    super();
    this.formula = formula;
    this.#noisy = formula.noisy;
    this.#quiet = formula.expression;
    this.learned = Object.fromEntries(
      formula.learned.map((name) => [name, init.constant([channels], formula.parameters[name]?.value ?? 0)]),
    );
  }

  protected override get members(): object {
    return Object.fromEntries(
      Object.entries(this.learned).map(([name, tensor]) => [checkpointNames[name] ?? name, tensor]),
    );
  }

  /** Those of an xIELU, which Transformers reads beside its weights. */
  override get constants(): Readonly<Record<string, number>> {
    const { beta, epsilon } = { ...xielu.parameters, ...this.formula.parameters };
    const isXielu = xielu.learned.every((name) => this.formula.learned.includes(name));
    return isXielu && beta !== undefined && epsilon !== undefined ? { beta: beta.value, eps: epsilon.value } : {};
  }

  /**
   * `inputs` in the order of the formula's: x, or gate and value.
   * @throws SluiceError `shape` where gate and value differ: one would be repeated without a word.
   */
  forward(mode: Mode, ...inputs: readonly Tensor[]): Tensor {
    const { name: operation } = this.formula;
    const [first] = inputs;
    if (first !== undefined && inputs.some(({ shape }) => !sameShape(shape, first.shape))) {
      throw new SluiceError('shape', {
        rule: `${operation} takes ${this.formula.inputs.join(' and ')} of one shape`,
        received: inputs.map(({ shape }) => shape),
        remedy: 'Give them the same width, or expand() one of them first.',
      });
    }
    const operands: Record<string, Tensor> = {};
    this.formula.inputs.forEach((name, i) => {
      const input = inputs[i];
      if (input !== undefined) operands[name] = input;
    });
    Object.assign(operands, this.learned);
    for (const parameter of Object.values(this.learned)) {
      if (first !== undefined && parameter.size > 1) requireWidth(`${operation} per channel`, parameter, first);
    }
    const draws = mode.training && this.formula.usesNoise && first !== undefined;
    return internal(() => {
      if (draws) operands['noise'] = noiseLike(first, mode);
      return mapTensors([draws ? this.#noisy : this.#quiet], operands, {}, { operation, extended: true })[0];
    });
  }
}

/** A row function in a model: along the last axis. */
export class RowFormulaLayer {
  readonly formula: RowFunction;
  readonly #expression: Expression;

  /** @throws SluiceError `argument` for a formula that learns or draws: rows do neither. */
  constructor(formula: RowFunction) {
    if (formula.learned.length > 0 || formula.usesNoise) {
      throw new SluiceError('argument', {
        rule: 'a row function in a block learns nothing and draws nothing',
        received: formula.name,
        remedy: 'Fix its parameters by with().',
      });
    }
    this.formula = formula;
    this.#expression = formula.expression;
  }

  forward(x: Tensor): Tensor {
    return rowTensors([this.#expression], { elements: { x } }, {}, this.formula.name)[0];
  }
}
