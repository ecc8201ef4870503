/** Back-propagation through time, by the textbook's equations and in their order. */
import type { Activation } from '../../activations/kinds.js';
import { type Curve, curveOf, type Loss, lossOf } from './formulas.js';
import {
  descend,
  descendVector,
  type Matrix,
  outer,
  plus,
  plusMatrix,
  product,
  times,
  transposed,
  type Update,
  type Vector,
} from './linear-algebra.js';
import type { ExplainedLoss } from './loss-names.js';

/** h_t = sigma(W_hh h_(t-1) + W_xh x_t + b_h), o_t = W_ho h_t + b_o; the keys say from where, and to where. */
export interface RecurrentWeights {
  readonly xh: Matrix;
  readonly hh: Matrix;
  readonly h: Vector;
  readonly ho: Matrix;
  readonly o: Vector;
}

export interface RecurrentProblem {
  readonly kind: 'recurrent';
  /** Inputs, hidden units, outputs. */
  readonly widths: readonly [number, number, number];
  readonly activation: Activation;
  readonly loss: ExplainedLoss;
  readonly learningRate: number;
  /** A row for each time step. */
  readonly input: Matrix;
  readonly target: Matrix;
  readonly weights: RecurrentWeights;
}

/** A time step as it was gone through, forward and back. */
export interface StepTrace {
  readonly x: Vector;
  readonly y: Vector;
  readonly z: Vector;
  readonly h: Vector;
  readonly o: Vector;
  readonly loss: number;
  /** sigma'(z_t) */
  readonly slope: Vector;
  /** dLoss_t / do_t */
  readonly deltaOutput: Vector;
  /** W_ho^T delta^o_t and W_hh^T delta_(t+1): what comes down, and what comes back through time. */
  readonly fromOutput: Vector;
  readonly fromLater: Vector;
  /** dLoss / dz_t */
  readonly delta: Vector;
}

export interface RecurrentTrace {
  readonly problem: RecurrentProblem;
  readonly curve: Curve;
  readonly lossFormula: Loss;
  /** The sum over time. */
  readonly loss: number;
  readonly steps: readonly StepTrace[];
  readonly parameters: {
    readonly xh: Update<Matrix>;
    readonly hh: Update<Matrix>;
    readonly h: Update<Vector>;
    readonly ho: Update<Matrix>;
    readonly o: Update<Vector>;
  };
}

export function explainRecurrent(problem: RecurrentProblem): RecurrentTrace {
  const { input, target, weights, learningRate, widths } = problem;
  const curve = curveOf(problem.activation);
  const lossFormula = lossOf(problem.loss, widths[2]);
  const start = Array<number>(widths[1]).fill(0);
  const forward: Pick<StepTrace, 'x' | 'y' | 'z' | 'h' | 'o' | 'loss'>[] = [];
  const before = (t: number): Vector => forward[t - 1]?.h ?? start;
  input.forEach((x, t) => {
    const z = plus(plus(times(weights.hh, before(t)), times(weights.xh, x)), weights.h);
    const h = z.map(curve.value);
    const o = plus(times(weights.ho, h), weights.o);
    const y = target[t] ?? [];
    forward.push({ x, y, z, h, o, loss: lossFormula.value(o, y) });
  });
  const steps: StepTrace[] = [];
  let fromLater: Vector = start;
  for (const step of forward.toReversed()) {
    const deltaOutput = lossFormula.gradient(step.o, step.y);
    const fromOutput = times(transposed(weights.ho), deltaOutput);
    const slope = step.z.map(curve.slope);
    const delta = product(plus(fromOutput, fromLater), slope);
    steps.unshift({ ...step, slope, deltaOutput, fromOutput, fromLater, delta });
    fromLater = times(transposed(weights.hh), delta);
  }
  const sum = (of: (step: StepTrace, t: number) => Matrix): Matrix => steps.map(of).reduce(plusMatrix);
  const sumVector = (of: (step: StepTrace) => Vector): Vector => steps.map(of).reduce(plus);
  return {
    ...{ problem, curve, lossFormula, steps },
    loss: steps.reduce((total, { loss }) => total + loss, 0),
    parameters: {
      xh: descend(
        weights.xh,
        sum(({ delta, x }) => outer(delta, x)),
        learningRate,
      ),
      hh: descend(
        weights.hh,
        sum(({ delta }, t) => outer(delta, before(t))),
        learningRate,
      ),
      h: descendVector(
        weights.h,
        sumVector(({ delta }) => delta),
        learningRate,
      ),
      ho: descend(
        weights.ho,
        sum(({ deltaOutput, h }) => outer(deltaOutput, h)),
        learningRate,
      ),
      o: descendVector(
        weights.o,
        sumVector(({ deltaOutput }) => deltaOutput),
        learningRate,
      ),
    },
  };
}
