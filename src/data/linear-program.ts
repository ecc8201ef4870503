import { SluiceError } from '../base/errors.js';

export interface Feasibility {
  /** x >= 0 with sum of x_j column_j = goal, or undefined where there is none. */
  readonly point: Float64Array | undefined;
  /** y with y · column_j <= 0 for every column and y · goal > 0: what shows that there is no point (Farkas). */
  readonly prices: Float64Array;
}

/** What a price may be above 0 and count as 0; columns are of about size 1. */
const tolerance = 1e-9;

const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
};

/**
 * Looks for non-negative shares of columns that add up to a goal, by the first phase of the revised simplex method:
 * slack that fills the goal is driven out. Few rows and many columns are what it is made for. Source: Dantzig 1953.
 * @param columns each as long as the goal; @param goal none of it below 0
 */
export function feasiblePoint(columns: readonly ArrayLike<number>[], goal: readonly number[]): Feasibility {
  const program = new Simplex(columns, goal);
  // Of ties the cheapest column is taken, which is fast but may go round in circles: then the first, which cannot.
  for (let steps = 0; program.improve(steps < 50 * goal.length + 1000); steps++) {
    if (steps > 200_000) throw new SluiceError('internal', { rule: 'a linear program ends' });
  }
  return { point: program.slack <= tolerance ? program.point() : undefined, prices: program.prices };
}

class Simplex {
  readonly #columns: readonly ArrayLike<number>[];
  readonly #rows: number;
  /** The column of each row of the basis; slack where it is not below the number of columns. */
  readonly #basis: number[];
  /** The inverse of the basis, row by row, and the values of its columns. */
  readonly #inverse: Float64Array[];
  readonly #values: Float64Array;
  prices: Float64Array;

  constructor(columns: readonly ArrayLike<number>[], goal: readonly number[]) {
    this.#columns = columns;
    this.#rows = goal.length;
    this.#basis = goal.map((_, row) => columns.length + row);
    this.#inverse = goal.map((_, row) => Float64Array.from(goal, (_value, i) => (i === row ? 1 : 0)));
    this.#values = Float64Array.from(goal);
    this.prices = this.#price();
  }

  #isSlack(row: number): boolean {
    return (this.#basis[row] ?? 0) >= this.#columns.length;
  }

  /** What is left of the goal. */
  get slack(): number {
    return this.#values.reduce((sum, value, row) => sum + (this.#isSlack(row) ? value : 0), 0);
  }

  /** What a unit of each row of the goal costs in slack. */
  #price(): Float64Array {
    const prices = new Float64Array(this.#rows);
    this.#inverse.forEach((row, i) => {
      if (this.#isSlack(i)) for (let j = 0; j < this.#rows; j++) prices[j] = (prices[j] ?? 0) + (row[j] ?? 0);
    });
    return prices;
  }

  /** One step; false where no column lessens the slack. */
  improve(best: boolean): boolean {
    const entering = this.#entering(best);
    if (entering < 0) return false;
    const column = this.#columns[entering] ?? [];
    const change = Float64Array.from(this.#inverse, (row) => dot(row, column));
    const leaving = this.#leaving(change);
    if (leaving < 0) return false;
    this.#pivot(entering, leaving, change);
    this.prices = this.#price();
    return true;
  }

  #entering(best: boolean): number {
    let [entering, most] = [-1, tolerance];
    for (let j = 0; j < this.#columns.length; j++) {
      const gain = dot(this.prices, this.#columns[j] ?? []);
      if (gain <= most) continue;
      entering = j;
      if (!best) break;
      most = gain;
    }
    return entering;
  }

  /** The row that reaches 0 first; of ties slack, then the lowest column, so that no circle is gone round. */
  #leaving(change: Float64Array): number {
    let [leaving, least] = [-1, Number.POSITIVE_INFINITY];
    change.forEach((rate, row) => {
      if (rate <= tolerance) return;
      const ratio = (this.#values[row] ?? 0) / rate;
      const isTie = Math.abs(ratio - least) <= 1e-14;
      if (!(ratio < least || isTie)) return;
      if (isTie && (this.#basis[row] ?? 0) > (this.#basis[leaving] ?? 0)) return;
      leaving = row;
      least = Math.min(ratio, least);
    });
    return leaving;
  }

  #pivot(entering: number, leaving: number, change: Float64Array): void {
    const pivot = change[leaving] ?? 1;
    const own = this.#inverse[leaving] ?? new Float64Array(this.#rows);
    for (let j = 0; j < this.#rows; j++) own[j] = (own[j] ?? 0) / pivot;
    const value = (this.#values[leaving] ?? 0) / pivot;
    this.#inverse.forEach((row, i) => {
      const factor = change[i] ?? 0;
      if (i === leaving || factor === 0) return;
      for (let j = 0; j < this.#rows; j++) row[j] = (row[j] ?? 0) - factor * (own[j] ?? 0);
      this.#values[i] = Math.max(0, (this.#values[i] ?? 0) - factor * value);
    });
    this.#values[leaving] = value;
    this.#basis[leaving] = entering;
  }

  point(): Float64Array {
    const shares = new Float64Array(this.#columns.length);
    this.#basis.forEach((column, row) => {
      if (column < shares.length) shares[column] = this.#values[row] ?? 0;
    });
    return shares;
  }
}
