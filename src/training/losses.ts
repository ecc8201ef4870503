import { variable } from '../scalar/expression.js';
import { rowTensors, type Tensor } from '../tensor/index.js';
import { checkWhole } from '../tensor/operations/operands.js';

const [x, target, position] = [variable('logits'), variable('targets'), variable('position')];

const top = x.maximum();
const logSumExp = x.sub(top).exp().sum().log().add(top);
/** The logit of the target: position and target are whole numbers, so they are equal or at least 1 apart. */
const picked = position.sub(target).abs().whereLess(0.5, x, 0).sum();
/** A target below 0, such as -100, is ignored: no padding enters a loss. */
const negativeLogLikelihood = target.whereLess(0, 0, logSumExp.sub(picked));

/**
 * -log softmax(logits)[target] of each row, in nats; 0 where the target is ignored.
 * @param logits [..., classes]
 * @param targets int32 [...]
 * @throws SluiceError `argument` for targets that are not int32.
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  checkWhole('crossEntropy', 'targets', targets);
  const operands = { elements: { logits }, rows: { targets } };
  return rowTensors([negativeLogLikelihood], operands, {}, 'crossEntropy')[0];
}
