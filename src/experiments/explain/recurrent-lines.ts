import type { Matrix, Vector } from './linear-algebra.js';
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
import type { RecurrentTrace, StepTrace } from './recurrent.js';

export const recurrentLines = (trace: RecurrentTrace): Section[] => [
  {
    title: 'Formulas',
    equations: ['Loss = the sum of Loss_t', 'a = o_t and y = y_t in it'],
    lines: formulaLines([trace.curve], trace.lossFormula, 'Loss_t'),
  },
  {
    title: 'Forward',
    equations: ['z_t = W_hh h_(t-1) + W_xh x_t + b_h', 'h_t = sigma(z_t), h_0 = 0', 'o_t = W_ho h_t + b_o'],
    lines: forwardLines(trace),
  },
  {
    title: 'Back, from the last time step to the first',
    equations: ['deltaO_t = dLoss_t/do_t', "delta_t = (W_ho^T deltaO_t + W_hh^T delta_(t+1)) ⊙ sigma'(z_t)"],
    lines: backLines(trace),
  },
  {
    title: 'Gradients, each a sum over time, and update',
    equations: [
      ...['dW_xh = delta_t x_t^T', 'dW_hh = delta_t h_(t-1)^T', 'db_h = delta_t'],
      ...['dW_ho = deltaO_t h_t^T', 'db_o = deltaO_t', updateEquation(trace.problem.learningRate)],
    ],
    lines: gradientLines(trace),
  },
];

/** The hidden units a step before. */
const before = ({ steps, problem }: RecurrentTrace, t: number): Vector =>
  steps[t - 1]?.h ?? problem.weights.h.map(() => 0);

function forwardLines(trace: RecurrentTrace): string[] {
  const { weights } = trace.problem;
  const ofStep = ({ x, y, z, h, o, loss }: StepTrace, index: number): Equation[] => {
    const t = index + 1;
    return [
      ...x.map((value, i): Equation => [unit('x', t, i), figure(value)]),
      ...z.map((value, i): Equation => {
        const back = products(weights.hh[i] ?? [], before(trace, index));
        const up = products(weights.xh[i] ?? [], x);
        return [unit('z', t, i), `${sum(back, up, factor(weights.h[i] ?? 0))} = ${figure(value)}`];
      }),
      ...h.map((value, i): Equation => [unit('h', t, i), `sigma(${figure(z[i] ?? 0)}) = ${figure(value)}`]),
      ...o.map((value, i): Equation => {
        const terms = sum(products(weights.ho[i] ?? [], h), factor(weights.o[i] ?? 0));
        return [unit('o', t, i), `${terms} = ${figure(value)}`];
      }),
      ...y.map((value, i): Equation => [unit('y', t, i), figure(value)]),
      [`Loss_${t}`, figure(loss)],
    ];
  };
  return aligned([...trace.steps.flatMap(ofStep), ['Loss', figure(trace.loss)]]);
}

function backLines({ problem, steps }: RecurrentTrace): string[] {
  const column = (matrix: Matrix, j: number): Vector => matrix.map((row) => row[j] ?? 0);
  const { ho, hh } = problem.weights;
  const ofStep = ({ deltaOutput, slope, delta }: StepTrace, index: number): Equation[] => [
    ...deltaOutput.map((value, i): Equation => [unit('deltaO', index + 1, i), figure(value)]),
    ...delta.map((value, i): Equation => {
      const later = steps[index + 1];
      const back = later === undefined ? '' : products(column(hh, i), later.delta);
      const all = sum(products(column(ho, i), deltaOutput), back);
      return [unit('delta', index + 1, i), `(${all}) * ${factor(slope[i] ?? 0)} = ${figure(value)}`];
    }),
  ];
  return aligned(steps.map(ofStep).toReversed().flat());
}

/** A sum of more products than this is no longer read. */
const mostProducts = 4;

function gradientLines(trace: RecurrentTrace): string[] {
  const { steps, parameters } = trace;
  const isShort = steps.length <= mostProducts;
  const of = (values: (step: StepTrace, t: number) => number | undefined): Vector =>
    steps.map((s, t) => values(s, t) ?? 0);
  const how = (deltas: Vector, values: Vector): string => (isShort ? `= ${products(deltas, values)}` : '');
  const howBias = (deltas: Vector): string => (isShort ? `= ${deltas.map(factor).join(' + ')}` : '');
  const delta = (i: number): Vector => of((step) => step.delta[i]);
  const deltaO = (i: number): Vector => of((step) => step.deltaOutput[i]);
  const earlier = (j: number): Vector => of((_, t) => before(trace, t)[j]);
  return updateLines([
    ...matrixRows('W_xh', parameters.xh, (i, j) =>
      how(
        delta(i),
        of(({ x }) => x[j]),
      ),
    ),
    ...matrixRows('W_hh', parameters.hh, (i, j) => how(delta(i), earlier(j))),
    ...vectorRows('b_h', parameters.h, (i) => howBias(delta(i))),
    ...matrixRows('W_ho', parameters.ho, (i, j) =>
      how(
        deltaO(i),
        of(({ h }) => h[j]),
      ),
    ),
    ...vectorRows('b_o', parameters.o, (i) => howBias(deltaO(i))),
  ]);
}
