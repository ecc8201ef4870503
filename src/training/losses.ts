import { logSoftmax } from '../activations/rows.js';
import { atPosition, variables } from '../scalar/expression.js';
import { rowTensors, type Tensor } from '../tensor/index.js';

const [x, target, position] = variables('x', 'target', 'position');

/** The logit of the target: position and target are whole numbers, so they are equal or at least 1 apart. */
const picked = position.sub(target).abs().whereLess(0.5, x, 0).sum();
/** A target below 0, such as -100, is ignored: no padding enters a loss. */
const negativeLogLikelihood = target.whereLess(0, 0, atPosition(logSoftmax.expression, { x: picked }).neg());

/**
 * -log softmax(logits)[target] of each row, in nats; 0 where the target is ignored.
 * @param logits [..., classes]
 * @param targets int32 [...]
 */
export function crossEntropy(logits: Tensor, targets: Tensor): Tensor {
  return rowTensors([negativeLogLikelihood], { elements: { x: logits }, rows: { target: targets } })[0];
}
