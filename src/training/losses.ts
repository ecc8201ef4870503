import { logSoftmax } from '../activations/rows.js';
import { SluiceError } from '../base/errors.js';
import { checkChoice, completeOptions, type OptionTable } from '../base/options.js';
import { atPosition, constant, type Expression, substitute, variables } from '../scalar/expression.js';
import { internal, mapTensors, rowTensors, type Tensor } from '../tensor/index.js';
import { isOwnResult, sumWithGradient } from '../tensor/operations/eager-gradient.js';
import { checkWhole } from '../tensor/operations/operands.js';
import { sameShape } from '../tensor/shape.js';

/** What becomes of the single losses: each for itself, their sum, or the mean of those that count. */
export const reductionNames = ['none', 'sum', 'mean'] as const;
export type Reduction = (typeof reductionNames)[number];

export interface LossOptions {
  /** 'none' by default. */
  readonly reduction?: Reduction;
}

export interface CrossEntropyOptions extends LossOptions {
  /** The share of the target that is spread evenly over all classes; 0 by default. Source: Szegedy 2015, arXiv:1512.00567. */
  readonly labelSmoothing?: number;
  /** How much each class counts, [classes]: a loss is multiplied with it, and a mean is weighted by it. Each 1 by default. */
  readonly classWeights?: Tensor;
}

export interface ElementwiseLossOptions extends LossOptions {
  /** What counts: 1, and what does not, such as padding: 0; it broadcasts to the predictions' shape. */
  readonly mask?: Tensor;
}

export interface BinaryCrossEntropyOptions extends ElementwiseLossOptions {
  /**
   * How much a target of 1 counts beside one of 0, one number or a tensor that broadcasts to the predictions' shape; 1 by
   * default. Above 1 it finds more of a rare class; a mean is not weighted by it, as PyTorch's `pos_weight`.
   */
  readonly posWeight?: number | Tensor;
}

export interface HuberOptions extends ElementwiseLossOptions {
  /** The error from which on the loss grows linearly; 1 by default. */
  readonly delta?: number;
}

const [logits, targets, position, length, smoothing, classWeight] = variables(
  ...(['logits', 'targets', 'position', 'length', 'smoothing', 'classWeight'] as const),
);
const logProbabilities = substitute(logSoftmax.expression, { x: logits });

/** The logit of the target: position and target are whole numbers, so they are equal or at least 1 apart. */
const atTarget = (value: Expression): Expression => position.sub(targets).abs().whereLess(0.5, value, 0).sum();
const picked = atTarget(logits);
const negativeLogLikelihood = atPosition(logProbabilities, { logits: picked }).neg();
const spread = logProbabilities.sum().div(length).neg();
const mixed = (sharp: Expression, even: Expression): Expression =>
  constant(1).sub(smoothing).mul(sharp).add(smoothing.mul(even));
const own = atTarget(classWeight);
const weightedSpread = classWeight.mul(logProbabilities).sum().div(length).neg();

/** A target below 0, such as -100, is ignored: no padding enters a loss. */
const unlessIgnored = (value: Expression | number): Expression => targets.whereLess(0, 0, value);
const hard = unlessIgnored(negativeLogLikelihood);
/** The losses, sharp and smoothed, and what each counts in a mean; with a weight for each class or without. */
const formulasOf = {
  plain: { hard, soft: unlessIgnored(mixed(negativeLogLikelihood, spread)), counted: unlessIgnored(1) },
  weighted: {
    hard: unlessIgnored(own.mul(negativeLogLikelihood)),
    soft: unlessIgnored(mixed(own.mul(negativeLogLikelihood), weightedSpread)),
    counted: unlessIgnored(own),
  },
} as const;

const crossEntropyDefaults = {
  ...{ labelSmoothing: 0, classWeights: undefined, reduction: 'none' },
} as const satisfies OptionTable<CrossEntropyOptions>;

/**
 * -log softmax(logits)[target] of each row, in nats; 0 where the target is ignored (below 0), which no mean counts.
 * @param logits [..., classes]
 * @param targets int32 [...], below `classes`: values are not looked at here, and a larger one finds no logit
 * @throws SluiceError `argument` for targets that are not int32, or a smoothing outside [0, 1).
 */
export function crossEntropy(logits: Tensor, targets: Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkWhole('crossEntropy', 'targets', targets);
  const { labelSmoothing, classWeights, reduction } = completeOptions('crossEntropy', options, crossEntropyDefaults);
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    const remedy = 'Try 0.1, or 0 for none.';
    throw new SluiceError('argument', {
      rule: 'labelSmoothing is at least 0 and below 1',
      received: labelSmoothing,
      remedy,
    });
  }
  const columns = classWeights === undefined ? {} : { classWeight: classWeights };
  const operands = { elements: { logits }, rows: { targets }, columns };
  const { hard, soft, counted } = formulasOf[classWeights === undefined ? 'plain' : 'weighted'];
  const [formula, scalars] = labelSmoothing === 0 ? [hard, {}] : [soft, { smoothing: labelSmoothing }];
  return internal(() => {
    const [losses] = rowTensors([formula], operands, scalars, 'crossEntropy');
    return reduced(losses, reduction, () => rowTensors([counted], operands, {}, 'crossEntropy')[0]);
  });
}

const crossEntropyLoss = {
  ...{ name: 'crossEntropy', expression: hard, elements: 'logits', perRow: 'targets' },
};

/**
 * `scale` times the sum of `crossEntropy`, as a scalar. Logits that nobody else looks at make room for their gradient,
 * which is taken in the same pass: nobody may read them afterwards.
 */
export function scaledCrossEntropy(logits: Tensor, targets: Tensor, scale: number): Tensor {
  checkWhole('crossEntropy', 'targets', targets);
  const isPlain = isOwnResult(logits) && sameShape(logits.shape.slice(0, -1), targets.shape);
  if (!isPlain) return crossEntropy(logits, targets).sum().mul(scale);
  return sumWithGradient(crossEntropyLoss, logits, targets, scale);
}

const [prediction, target, mask, delta, posWeight] = variables(
  ...(['prediction', 'target', 'mask', 'delta', 'posWeight'] as const),
);
const error = prediction.sub(target);
const size = error.abs();

// Each half is free of cancellation: softplus(z) - z t loses all digits of a nearly certain prediction.
const [ofOne, ofZero] = [target.mul(prediction.neg().softplus()), constant(1).sub(target).mul(prediction.softplus())];

/** Losses of one `prediction` and its `target`. */
export const lossFormulas = {
  meanSquaredError: error.mul(error),
  binaryCrossEntropy: ofOne.add(ofZero),
  huber: size.whereLess(delta, error.mul(error).div(2), delta.mul(size.sub(delta.div(2)))),
} as const;

const weightedBinary = posWeight.mul(ofOne).add(ofZero);

const unlessMasked = (formula: Expression | number): Expression => mask.whereLess(0.5, 0, formula);
const counts = unlessMasked(1);

const elementwiseDefaults = { mask: undefined, reduction: 'none' } satisfies OptionTable<ElementwiseLossOptions>;

/** (prediction - target)^2. Predictions and targets have one shape. */
export const meanSquaredError = (predictions: Tensor, targets: Tensor, options: ElementwiseLossOptions = {}): Tensor =>
  elementwise('meanSquaredError', predictions, targets, options);

/**
 * -log of the probability that sigmoid(logit) gives the target, in nats.
 * @param targets probabilities of class 1 in [0, 1]; 0 and 1 for certain ones
 */
export function binaryCrossEntropy(logits: Tensor, targets: Tensor, options: BinaryCrossEntropyOptions = {}): Tensor {
  const { posWeight, ...rest } = options;
  if (posWeight === undefined) return elementwise('binaryCrossEntropy', logits, targets, rest);
  const isNumber = typeof posWeight === 'number';
  if (isNumber && !(posWeight >= 0 && Number.isFinite(posWeight))) {
    throw new SluiceError('argument', {
      rule: 'posWeight is at least 0',
      received: posWeight,
      remedy: 'Try how many targets of 0 there are for each of 1.',
    });
  }
  return elementwise('binaryCrossEntropy', logits, targets, rest, {
    formula: weightedBinary,
    ...(isNumber ? { scalars: { posWeight } } : { tensors: { posWeight: posWeight.expand(logits.shape) } }),
  });
}

/** Half the squared error up to `delta`, linear beyond. Source: Huber 1964. */
export function huber(predictions: Tensor, targets: Tensor, options: HuberOptions = {}): Tensor {
  const { delta = 1, ...rest } = options;
  if (!(delta > 0 && Number.isFinite(delta))) {
    throw new SluiceError('argument', { rule: 'delta of huber is positive', received: delta, remedy: 'Try 1.' });
  }
  return elementwise('huber', predictions, targets, rest, { scalars: { delta } });
}

/** What a loss is made of beside predictions and targets. */
interface LossParts {
  readonly formula?: Expression;
  readonly scalars?: Readonly<Record<string, number>>;
  /** Of the predictions' shape. */
  readonly tensors?: Readonly<Record<string, Tensor>>;
}

function elementwise(
  operation: keyof typeof lossFormulas,
  prediction: Tensor,
  target: Tensor,
  options: ElementwiseLossOptions,
  { formula = lossFormulas[operation], scalars = {}, tensors = {} }: LossParts = {},
): Tensor {
  const { mask, reduction } = completeOptions(operation, options, elementwiseDefaults);
  if (!sameShape(prediction.shape, target.shape)) {
    throw new SluiceError('shape', {
      rule: `${operation} takes targets of the predictions' shape ${JSON.stringify(prediction.shape)}`,
      received: target.shape,
      remedy: 'Reshape one of them: targets that broadcast would be compared with every prediction.',
    });
  }
  return internal(() => {
    const inputs = { prediction, target, ...tensors };
    if (mask === undefined) {
      const [losses] = mapTensors([formula], inputs, scalars, { operation });
      return reduced(losses, reduction, () => undefined);
    }
    const [losses] = mapTensors([unlessMasked(formula)], { ...inputs, mask }, scalars, { operation });
    return reduced(losses, reduction, () => mapTensors([counts], { mask: mask.expand(prediction.shape) })[0]);
  });
}

/** @param counted 1 for each loss that counts and 0 for the others; undefined where all do. */
function reduced(losses: Tensor, reduction: Reduction, counted: () => Tensor | undefined): Tensor {
  checkChoice('the reduction of a loss', reduction, reductionNames);
  if (reduction === 'none') return losses;
  if (reduction === 'sum') return losses.sum();
  const counts = counted();
  return counts === undefined ? losses.mean() : losses.sum().div(counts.sum());
}
