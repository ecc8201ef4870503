export type Vector = readonly number[];
/** Rows. */
export type Matrix = readonly Vector[];

export const dot = (a: Vector, b: Vector): number => a.reduce((sum, value, i) => sum + value * (b[i] ?? 0), 0);
export const times = (matrix: Matrix, vector: Vector): Vector => matrix.map((row) => dot(row, vector));
export const plus = (a: Vector, b: Vector): Vector => a.map((value, i) => value + (b[i] ?? 0));
/** Element by element. */
export const product = (a: Vector, b: Vector): Vector => a.map((value, i) => value * (b[i] ?? 0));
/** a b^T: a row for each of a. */
export const outer = (a: Vector, b: Vector): Matrix => a.map((left) => b.map((right) => left * right));
export const transposed = (matrix: Matrix): Matrix =>
  (matrix[0] ?? []).map((_, column) => matrix.map((row) => row[column] ?? 0));
export const plusMatrix = (a: Matrix, b: Matrix): Matrix => a.map((row, i) => plus(row, b[i] ?? []));

/** A learned tensor, its gradient, and what a step of gradient descent makes of it. */
export interface Update<T extends Vector | Matrix> {
  readonly value: T;
  readonly gradient: T;
  readonly updated: T;
}

export const descendVector = (value: Vector, gradient: Vector, rate: number): Update<Vector> => ({
  value,
  gradient,
  updated: value.map((weight, i) => weight - rate * (gradient[i] ?? 0)),
});

export const descend = (value: Matrix, gradient: Matrix, rate: number): Update<Matrix> => ({
  value,
  gradient,
  updated: value.map((row, i) => descendVector(row, gradient[i] ?? [], rate).updated),
});
