/** The same networks on tensors, differentiated by backward(): what the equations are held against. */
import type { Activation } from '../../activations/kinds.js';
import type { Device } from '../../devices/device.js';
import type { Expression } from '../../scalar/expression.js';
import { rowTensors, scope, type Tensor, tensor } from '../../tensor/index.js';
import type { FeedForwardTrace } from './feed-forward.js';
import { lossExpression } from './formulas.js';
import type { Matrix, Vector } from './linear-algebra.js';
import type { ExplainedLoss } from './loss-names.js';
import type { RecurrentTrace } from './recurrent.js';

/** The loss and gradients by autograd, beside those of the equations. */
export interface Agreement {
  readonly device: string;
  readonly loss: number;
  /** The largest difference of a gradient, as a share of the largest gradient. */
  readonly largestDifference: number;
}

/** A learned tensor, and what the equations say of its gradient. */
interface Pair {
  readonly tensor: Tensor;
  readonly gradient: Vector;
}

const learnedIn =
  (device: Device, pairs: Pair[]) =>
  (value: Matrix | Vector, gradient: Matrix | Vector): Tensor => {
    const made = tensor(device, value as number[][], undefined, { requiresGrad: true });
    pairs.push({ tensor: made, gradient: gradient.flat() });
    return made;
  };

const lossOn = (loss: ExplainedLoss, outputs: Tensor, targets: Tensor): Tensor =>
  rowTensors([lossExpression(loss)], { elements: { a: outputs, y: targets } })[0].sum();

/** Learned parameters of an activation stay where they begin. */
const activated =
  (activation: Activation) =>
  (x: Expression): Expression =>
    activation.of(x);

export const agreementOf = (device: Device, trace: FeedForwardTrace | RecurrentTrace): Promise<Agreement> =>
  scope(device, async () => {
    const pairs: Pair[] = [];
    const loss = 'steps' in trace ? recurrentLoss(device, trace, pairs) : feedForwardLoss(device, trace, pairs);
    loss.backward();
    let [difference, largest] = [0, 0];
    for (const { tensor, gradient } of pairs) {
      const own = (await tensor.grad?.toArray()) ?? [];
      gradient.forEach((value, i) => {
        difference = Math.max(difference, Math.abs(value - (own[i] ?? 0)));
        largest = Math.max(largest, Math.abs(value));
      });
    }
    return { device: device.name, loss: await loss.item(), largestDifference: difference / (largest || 1) };
  });

function feedForwardLoss(device: Device, { problem, layers }: FeedForwardTrace, pairs: Pair[]): Tensor {
  const learned = learnedIn(device, pairs);
  const [hidden, last] = [activated(problem.activation), activated(problem.outputActivation)];
  const outputs = layers.reduce(
    (a, { weight, bias }, i) => {
      const z = a
        .matmul(learned(weight.value, weight.gradient).transpose(0, 1))
        .add(learned(bias.value, bias.gradient));
      return z.map(i === layers.length - 1 ? last : hidden);
    },
    tensor(device, [problem.input]),
  );
  return lossOn(problem.loss, outputs, tensor(device, [problem.target]));
}

function recurrentLoss(device: Device, { problem, parameters }: RecurrentTrace, pairs: Pair[]): Tensor {
  const learned = learnedIn(device, pairs);
  const weight = ({ value, gradient }: { value: Matrix; gradient: Matrix }): Tensor =>
    learned(value, gradient).transpose(0, 1);
  const [xh, hh, ho] = [weight(parameters.xh), weight(parameters.hh), weight(parameters.ho)];
  const bias = ({ value, gradient }: { value: Vector; gradient: Vector }): Tensor => learned(value, gradient);
  const [biasH, biasO] = [bias(parameters.h), bias(parameters.o)];
  const activate = activated(problem.activation);
  let h = tensor(device, [Array<number>(problem.widths[1]).fill(0)]);
  const losses = problem.input.map((x, t) => {
    h = h
      .matmul(hh)
      .add(tensor(device, [x]).matmul(xh))
      .add(biasH)
      .map(activate);
    return lossOn(problem.loss, h.matmul(ho).add(biasO), tensor(device, [problem.target[t] ?? []]));
  });
  return losses.reduce((sum, loss) => sum.add(loss));
}
