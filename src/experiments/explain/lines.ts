/** What was computed, as lines with the numbers put in. */
import { brief } from '../brief.js';
import type { Curve, Loss } from './formulas.js';
import type { Matrix, Update, Vector } from './linear-algebra.js';

export interface Section {
  readonly title: string;
  /** What the lines follow. */
  readonly equations: readonly string[];
  readonly lines: readonly string[];
}

/** A left side and a right side. */
export type Equation = readonly [left: string, right: string];

/** Every number that is shown has so many digits. */
export const figure = (value: number): string => brief(value + 0, 6); // no -0

/** A factor: a negative one in brackets. */
export const factor = (value: number): string => (value < 0 ? `(${figure(value)})` : figure(value));
export const products = (a: Vector, b: Vector): string =>
  a.map((value, i) => `${factor(value)} * ${factor(b[i] ?? 0)}`).join(' + ');
export const sum = (...parts: readonly string[]): string => parts.filter((part) => part !== '').join(' + ');

/** A unit, counted from 1: `z_2[1]`. */
export const unit = (name: string, index: string | number, i: number): string => `${name}_${index}[${i + 1}]`;

export function aligned(rows: readonly Equation[]): string[] {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)} = ${right}`);
}

/** The activations and the loss with their derivatives, as the system derives them. */
export function formulaLines(curves: readonly Curve[], loss: Loss, lossName = 'Loss'): string[] {
  const known = curves.filter((curve, i) => curves.findIndex(({ name }) => name === curve.name) === i);
  const all = [
    ...known.flatMap((curve, i): Equation[] => {
      const name = i === 0 ? 'sigma' : 'sigma_L';
      return [
        [`${name}(z)`, curve.formula],
        [`${name}'(z)`, curve.derivative],
      ];
    }),
    [lossName, loss.formula] as const,
    [`d${lossName}/da`, loss.derivative] as const,
  ];
  const usesPdf = all.some(([, formula]) => formula.includes('logisticPdf'));
  return aligned(usesPdf ? [...all, ['logisticPdf(z)', 'sigmoid(z) * (1 - sigmoid(z))']] : all);
}

export interface UpdateRow {
  readonly name: string;
  readonly value: number;
  readonly gradient: number;
  /** What the gradient is made of. */
  readonly how: string;
  readonly updated: number;
}

export const updateEquation = (learningRate: number): string =>
  `new value = value - ${figure(learningRate)} * gradient`;

/** A table of learned numbers: value, gradient and what they become. */
export function updateLines(rows: readonly UpdateRow[]): string[] {
  const cells = [
    ['', 'value', 'gradient', '', 'new value'],
    ...rows.map(({ name, value, gradient, how, updated }) => [
      ...[name, figure(value), figure(gradient), how, figure(updated)],
    ]),
  ];
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const isText = (column: number): boolean => column === 0 || column === 3;
  return cells.map((row) =>
    row
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

export const matrixRows = (
  name: string,
  { value, gradient, updated }: Update<Matrix>,
  how: (row: number, column: number) => string,
): UpdateRow[] =>
  value.flatMap((row, i) =>
    row.map((weight, j) => ({
      ...{ name: `${name}[${i + 1},${j + 1}]`, value: weight, how: how(i, j) },
      gradient: gradient[i]?.[j] ?? 0,
      updated: updated[i]?.[j] ?? 0,
    })),
  );

export const vectorRows = (
  name: string,
  { value, gradient, updated }: Update<Vector>,
  how: (row: number) => string,
): UpdateRow[] =>
  value.map((bias, i) => ({
    ...{ name: `${name}[${i + 1}]`, value: bias, how: how(i) },
    gradient: gradient[i] ?? 0,
    updated: updated[i] ?? 0,
  }));
