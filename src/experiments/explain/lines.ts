/** What was computed, as lines with the numbers put in. */
import { brief } from '../brief.js';
import type { FeedForwardTrace } from './feed-forward.js';
import type { Curve, Loss } from './formulas.js';
import type { Matrix, Update, Vector } from './linear-algebra.js';
import type { RecurrentTrace } from './recurrent.js';

export interface Section {
  readonly title: string;
  readonly lines: readonly string[];
}

/** Digits of every number that is shown. */
export const digits = 6;
export const figure = (value: number): string => brief(value, digits);

/** A factor: a negative one in brackets. */
const factor = (value: number): string => (value < 0 ? `(${figure(value)})` : figure(value));
const products = (a: Vector, b: Vector): string =>
  a.map((value, i) => `${factor(value)} * ${factor(b[i] ?? 0)}`).join(' + ');
const sum = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' + ');

/** Left sides and right sides in two columns. */
function aligned(rows: readonly (readonly [left: string, right: string])[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)} = ${right}`);
}

function formulaLines(curves: readonly Curve[], loss: Loss, lossName: string): string[] {
  const known = curves.filter((curve, i) => curves.findIndex(({ name }) => name === curve.name) === i);
  const rows = known.flatMap((curve, i): [string, string][] => {
    const name = i === 0 ? 'sigma' : 'sigma_L';
    return [
      [`${name}(z)`, curve.formula],
      [`${name}'(z)`, curve.derivative],
    ];
  });
  const all: [string, string][] = [...rows, [lossName, loss.formula], [`d${lossName}/da`, loss.derivative]];
  const usesPdf = all.some(([, formula]) => formula.includes('logisticPdf'));
  return aligned([
    ...all,
    ...(usesPdf ? [['logisticPdf(z)', 'sigmoid(z) * (1 - sigmoid(z))'] as [string, string]] : []),
  ]);
}

/** A table of learned numbers: value, gradient and what they become. */
function updateLines(rows: readonly UpdateRow[]): string[] {
  const cells = [
    ['', 'value', 'gradient', '', 'new value'],
    ...rows.map(({ name, value, gradient, how, updated }) => [
      name,
      figure(value),
      figure(gradient),
      how,
      figure(updated),
    ]),
  ];
  const widths = cells[0]?.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))) ?? [];
  const isText = (column: number): boolean => column === 0 || column === 3;
  return cells.map((row) =>
    row
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

interface UpdateRow {
  readonly name: string;
  readonly value: number;
  readonly gradient: number;
  /** Of which numbers the gradient is the product. */
  readonly how: string;
  readonly updated: number;
}

const matrixRows = (
  name: string,
  { value, gradient, updated }: Update<Matrix>,
  how: (row: number, column: number) => string = () => '',
): UpdateRow[] =>
  value.flatMap((row, i) =>
    row.map((weight, j) => ({
      ...{ name: `${name}[${i + 1},${j + 1}]`, value: weight, how: how(i, j) },
      gradient: gradient[i]?.[j] ?? 0,
      updated: updated[i]?.[j] ?? 0,
    })),
  );

const vectorRows = (
  name: string,
  { value, gradient, updated }: Update<Vector>,
  how: (row: number) => string = () => '',
): UpdateRow[] =>
  value.map((bias, i) => ({
    ...{ name: `${name}[${i + 1}]`, value: bias, how: how(i) },
    gradient: gradient[i] ?? 0,
    updated: updated[i] ?? 0,
  }));

export function feedForwardLines({ problem, lossFormula, loss, layers }: FeedForwardTrace): Section[] {
  const { input, target, weights, learningRate } = problem;
  const before = (layer: number): Vector => layers[layer - 1]?.a ?? input;
  const last = layers.length;
  return [
    {
      title: 'Formulas',
      lines: formulaLines(
        layers.map(({ curve }) => curve),
        lossFormula,
        'Loss',
      ),
    },
    {
      title: 'Forward: a_0 = x, z_l = W_l a_(l-1) + b_l, a_l = sigma(z_l)',
      lines: [
        ...aligned(input.map((value, i) => [`a_0[${i + 1}]`, figure(value)])),
        ...layers.flatMap(({ z, a }, l) => [
          ...aligned(
            z.map((value, i) => {
              const terms = sum(products(weights[l]?.weight[i] ?? [], before(l)), factor(weights[l]?.bias[i] ?? 0));
              return [`z_${l + 1}[${i + 1}]`, `${terms} = ${figure(value)}`];
            }),
          ),
          ...aligned(a.map((value, i) => [`a_${l + 1}[${i + 1}]`, `sigma(${figure(z[i] ?? 0)}) = ${figure(value)}`])),
        ]),
        ...aligned([
          ...target.map((value, i) => [`y[${i + 1}]`, figure(value)] as const),
          ['Loss', figure(loss)] as const,
        ]),
      ],
    },
    {
      title: "Back: delta_L = dLoss/da_L * sigma'(z_L), delta_l = (W_(l+1)^T delta_(l+1)) * sigma'(z_l)",
      lines: layers
        .map(({ arriving, slope, delta }, l) =>
          aligned(
            delta.map((value, i) => {
              const next = layers[l + 1];
              const column = (weights[l + 1]?.weight ?? []).map((row) => row[i] ?? 0);
              const from = next === undefined ? factor(arriving[i] ?? 0) : `(${products(column, next.delta)})`;
              return [`delta_${l + 1}[${i + 1}]`, `${from} * ${factor(slope[i] ?? 0)} = ${figure(value)}`];
            }),
          ),
        )
        .toReversed()
        .flat(),
    },
    {
      title: `Gradients and update: dW_l = delta_l a_(l-1)^T, db_l = delta_l; new = value - ${figure(learningRate)} * gradient`,
      lines: updateLines(
        layers.flatMap(({ weight, bias }, l) => [
          ...matrixRows(`W_${l + 1}`, weight, (i, j) => `= delta_${l + 1}[${i + 1}] * a_${l}[${j + 1}]`),
          ...vectorRows(`b_${l + 1}`, bias, (i) => `= delta_${l + 1}[${i + 1}]`),
        ]),
      ),
    },
  ].filter(({ lines }) => lines.length > 0 && last > 0);
}

export function recurrentLines({ problem, curve, lossFormula, loss, steps, parameters }: RecurrentTrace): Section[] {
  const { weights, learningRate } = problem;
  const start = weights.h.map(() => 0);
  const before = (t: number): Vector => steps[t - 1]?.h ?? start;
  const column = (matrix: Matrix, j: number): Vector => matrix.map((row) => row[j] ?? 0);
  return [
    { title: 'Formulas', lines: [...formulaLines([curve], lossFormula, 'Loss_t'), 'with a = o_t and y = y_t'] },
    {
      title: 'Forward: z_t = W_hh h_(t-1) + W_xh x_t + b_h, h_t = sigma(z_t), o_t = W_ho h_t + b_o, h_0 = 0',
      lines: steps.flatMap(({ x, y, z, h, o, loss }, t) =>
        aligned([
          ...x.map((value, i) => [`x_${t + 1}[${i + 1}]`, figure(value)] as const),
          ...z.map((value, i) => {
            const back = products(weights.hh[i] ?? [], before(t));
            const up = products(weights.xh[i] ?? [], x);
            return [`z_${t + 1}[${i + 1}]`, `${sum(back, up, factor(weights.h[i] ?? 0))} = ${figure(value)}`] as const;
          }),
          ...h.map((value, i) => [`h_${t + 1}[${i + 1}]`, `sigma(${figure(z[i] ?? 0)}) = ${figure(value)}`] as const),
          ...o.map((value, i) => {
            const terms = sum(products(weights.ho[i] ?? [], h), factor(weights.o[i] ?? 0));
            return [`o_${t + 1}[${i + 1}]`, `${terms} = ${figure(value)}`] as const;
          }),
          [`Loss_${t + 1}`, `${figure(loss)} for y_${t + 1} = ${y.map(figure).join(', ')}`] as const,
        ]),
      ),
    },
    { title: `Loss = sum over t of Loss_t = ${figure(loss)}`, lines: [] },
    {
      title:
        "Back through time: deltao_t = dLoss_t/do_t, delta_t = (W_ho^T deltao_t + W_hh^T delta_(t+1)) * sigma'(z_t)",
      lines: steps
        .map(({ deltaOutput, slope, delta }, t) => {
          const later = steps[t + 1];
          return aligned([
            ...deltaOutput.map((value, i) => [`deltao_${t + 1}[${i + 1}]`, figure(value)] as const),
            ...delta.map((value, i) => {
              const down = products(column(weights.ho, i), deltaOutput);
              const back = later === undefined ? '' : products(column(weights.hh, i), later.delta);
              return [
                `delta_${t + 1}[${i + 1}]`,
                `(${sum(down, back)}) * ${factor(slope[i] ?? 0)} = ${figure(value)}`,
              ] as const;
            }),
          ]);
        })
        .toReversed()
        .flat(),
    },
    {
      title: [
        'Gradients, summed over t, and update: dW_hh = delta_t h_(t-1)^T, dW_xh = delta_t x_t^T, db_h = delta_t,',
        `dW_ho = deltao_t h_t^T, db_o = deltao_t; new = value - ${figure(learningRate)} * gradient`,
      ].join(' '),
      lines: updateLines([
        ...matrixRows('W_xh', parameters.xh),
        ...matrixRows('W_hh', parameters.hh),
        ...vectorRows('b_h', parameters.h),
        ...matrixRows('W_ho', parameters.ho),
        ...vectorRows('b_o', parameters.o),
      ]),
    },
  ];
}
