import { logSoftmax } from '../activations/rows.js';
import { atPosition, substitute, variables } from '../scalar/expression.js';
import { rowTensors, type Tensor } from '../tensor/index.js';
import { isOwnResult, sumWithGradient } from '../tensor/operations/eager-gradient.js';
import { checkWhole } from '../tensor/operations/operands.js';
import { sameShape } from '../tensor/shape.js';

const [logits, targets, position] = variables('logits', 'targets', 'position');
const logProbabilities = substitute(logSoftmax.expression, { x: logits });

/** The logit of the target: position and target are whole numbers, so they are equal or at least 1 apart. */
const picked = position.sub(targets).abs().whereLess(0.5, logits, 0).sum();
/** A target below 0, such as -100, is ignored: no padding enters a loss. */
const negativeLogLikelihood = targets.whereLess(0, 0, atPosition(logProbabilities, { logits: picked }).neg());

/**
 * -log softmax(logits)[target] of each row, in nats; 0 where the target is ignored (below 0).
 * @param logits [..., classes]
 * @param targets int32 [...], below `classes`: values are not looked at here, and a larger one finds no logit
 * @throws SluiceError `argument` for targets that are not int32.
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  checkWhole('crossEntropy', 'targets', targets);
  const operands = { elements: { logits }, rows: { targets } };
  return rowTensors([negativeLogLikelihood], operands, {}, 'crossEntropy')[0];
}

const crossEntropyLoss = {
  ...{ name: 'crossEntropy', expression: negativeLogLikelihood, elements: 'logits', perRow: 'targets' },
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
