import type { FeedForwardTrace } from './feed-forward.js';
import type { Vector } from './linear-algebra.js';
import {
  aligned,
  type Equation,
  factor,
  figure,
  formulaLines,
  matrixRows,
  products,
  type Section,
  sum,
  unit,
  updateEquation,
  updateLines,
  vectorRows,
} from './lines.js';

export const feedForwardLines = (trace: FeedForwardTrace): Section[] => [
  {
    title: 'Formulas',
    equations: [],
    lines: formulaLines(
      trace.layers.map(({ curve }) => curve),
      trace.lossFormula,
    ),
  },
  {
    title: 'Forward',
    equations: ['a_0 = x', 'z_l = W_l a_(l-1) + b_l', 'a_l = sigma(z_l)'],
    lines: forwardLines(trace),
  },
  {
    title: 'Back',
    equations: ["delta_L = dLoss/da_L ⊙ sigma'(z_L)", "delta_l = (W_(l+1)^T delta_(l+1)) ⊙ sigma'(z_l)"],
    lines: backLines(trace),
  },
  {
    title: 'Gradients and update',
    equations: ['dW_l = delta_l a_(l-1)^T', 'db_l = delta_l', updateEquation(trace.problem.learningRate)],
    lines: updateLines(
      trace.layers.flatMap(({ weight, bias }, l) => [
        ...matrixRows(`W_${l + 1}`, weight, (i, j) => `= ${unit('delta', l + 1, i)} * ${unit('a', l, j)}`),
        ...vectorRows(`b_${l + 1}`, bias, (i) => `= ${unit('delta', l + 1, i)}`),
      ]),
    ),
  },
];

function forwardLines({ problem, layers, loss }: FeedForwardTrace): string[] {
  const { input, target, weights } = problem;
  const before = (layer: number): Vector => layers[layer - 1]?.a ?? input;
  const equations = layers.flatMap(({ z, a, curve }, l): Equation[] => [
    ...z.map((value, i): Equation => {
      const { weight = [], bias = [] } = weights[l] ?? {};
      const terms = sum(products(weight[i] ?? [], before(l)), factor(bias[i] ?? 0));
      return [unit('z', l + 1, i), `${terms} = ${figure(value)}`];
    }),
    ...a.map((value, i): Equation => {
      return [
        unit('a', l + 1, i),
        `${curve.name === layers[0]?.curve.name ? 'sigma' : 'sigma_L'}(${figure(z[i] ?? 0)}) = ${figure(value)}`,
      ];
    }),
  ]);
  return aligned([
    ...input.map((value, i): Equation => [unit('a', 0, i), figure(value)]),
    ...equations,
    ...target.map((value, i): Equation => [`y[${i + 1}]`, figure(value)]),
    ['Loss', figure(loss)],
  ]);
}

function backLines({ problem, layers }: FeedForwardTrace): string[] {
  const equations = layers.map(({ arriving, slope, delta }, l) =>
    delta.map((value, i): Equation => {
      const next = layers[l + 1];
      const column = (problem.weights[l + 1]?.weight ?? []).map((row) => row[i] ?? 0);
      const from = next === undefined ? factor(arriving[i] ?? 0) : `(${products(column, next.delta)})`;
      return [unit('delta', l + 1, i), `${from} * ${factor(slope[i] ?? 0)} = ${figure(value)}`];
    }),
  );
  return aligned(equations.toReversed().flat());
}
