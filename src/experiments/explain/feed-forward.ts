/** Back-propagation through a feed-forward network, by the textbook's equations and in their order. */
import type { Activation } from '../../activations/kinds.js';
import { type Curve, curveOf, type Loss, lossOf } from './formulas.js';
import {
  descend,
  descendVector,
  type Matrix,
  outer,
  plus,
  product,
  times,
  transposed,
  type Update,
  type Vector,
} from './linear-algebra.js';
import type { ExplainedLoss } from './loss-names.js';

export interface LayerWeights {
  /** [outputs, inputs] */
  readonly weight: Matrix;
  readonly bias: Vector;
}

export interface FeedForwardProblem {
  readonly kind: 'feed-forward';
  /** Inputs, hidden units, outputs. */
  readonly widths: readonly number[];
  readonly activation: Activation;
  /** Of the last layer. */
  readonly outputActivation: Activation;
  readonly loss: ExplainedLoss;
  readonly learningRate: number;
  readonly input: Vector;
  readonly target: Vector;
  readonly weights: readonly LayerWeights[];
}

/** A layer as it was gone through, forward and back. */
export interface LayerTrace {
  readonly curve: Curve;
  readonly z: Vector;
  readonly a: Vector;
  /** sigma'(z) */
  readonly slope: Vector;
  /** dLoss / da; of a hidden layer W^T delta of the next one. */
  readonly arriving: Vector;
  /** dLoss / dz */
  readonly delta: Vector;
  readonly weight: Update<Matrix>;
  readonly bias: Update<Vector>;
}

export interface FeedForwardTrace {
  readonly problem: FeedForwardProblem;
  readonly lossFormula: Loss;
  readonly loss: number;
  readonly layers: readonly LayerTrace[];
}

export function explainFeedForward(problem: FeedForwardProblem): FeedForwardTrace {
  const { activation, outputActivation, input, target, learningRate, weights } = problem;
  const [hidden, last] = [curveOf(activation), curveOf(outputActivation)];
  const forward: { curve: Curve; z: Vector; a: Vector }[] = [];
  const before = (layer: number): Vector => forward[layer - 1]?.a ?? input;
  weights.forEach(({ weight, bias }, layer) => {
    const curve = layer === weights.length - 1 ? last : hidden;
    const z = plus(times(weight, before(layer)), bias);
    forward.push({ curve, z, a: z.map(curve.value) });
  });
  const lossFormula = lossOf(problem.loss, target.length);
  const outputs = before(weights.length);
  let arriving = lossFormula.gradient(outputs, target);
  const layers: LayerTrace[] = [];
  for (let layer = weights.length - 1; layer >= 0; layer--) {
    const [passed, own] = [forward[layer], weights[layer]];
    if (passed === undefined || own === undefined) break;
    const slope = passed.z.map(passed.curve.slope);
    const delta = product(arriving, slope);
    layers.unshift({
      ...passed,
      ...{ slope, arriving, delta },
      weight: descend(own.weight, outer(delta, before(layer)), learningRate),
      bias: descendVector(own.bias, delta, learningRate),
    });
    arriving = times(transposed(own.weight), delta);
  }
  return { problem, lossFormula, loss: lossFormula.value(outputs, target), layers };
}
