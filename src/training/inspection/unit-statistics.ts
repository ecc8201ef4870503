import type { Slopes, UnitRow } from './unit-kernels.js';

/** The share of its inputs from which on a unit's flatness is its own, not theirs. */
export const most = 0.9;

/** Moments of values that were put together from those of their units. */
export interface Moments {
  readonly mean: number;
  /** Of all values. */
  readonly variance: number;
  /** Fourth central moment over the variance squared: 3 for a normal; NaN where nothing varies. */
  readonly kurtosis: number;
  /** Of one unit over its inputs, the mean over units: what is left of the inputs' differences. */
  readonly unitVariance: number;
  readonly least: number;
  readonly most: number;
}

export interface UnitShares {
  /** Units that give 0, or let no gradient through, for every input. */
  readonly dead: number;
  /** Others whose |f'| is below the threshold for more than nine inputs of ten; of activations. */
  readonly saturated: number | undefined;
  /** Others that no gradient came to, for any input. */
  readonly unreached: number;
}

/** One unit over all inputs; powers are sums about `origin`. */
interface Unit {
  origin: number;
  count: number;
  powers: [number, number, number, number];
  least: number;
  most: number;
  steepest: number;
  flat: number;
  gradientSquares: number;
}

/** Gathers what single batches say of a layer's units, in float64. */
export class UnitStatistics {
  readonly #units: Unit[] = [];
  #isActivation = false;

  get units(): number {
    return this.#units.length;
  }

  /** Values of each unit. */
  get count(): number {
    return this.#units[0]?.count ?? 0;
  }

  #unit(index: number): Unit {
    let unit = this.#units[index];
    if (unit === undefined) {
      const [least, most] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
      const none = { origin: 0, count: 0, steepest: 0, flat: 0, gradientSquares: 0 };
      unit = { ...none, powers: [0, 0, 0, 0], least, most };
      this.#units[index] = unit;
    }
    return unit;
  }

  addValues(rows: readonly UnitRow[], count: number): void {
    rows.forEach(({ mean, scale, powers, least, most }, index) => {
      const unit = this.#unit(index);
      if (unit.count === 0) unit.origin = mean;
      const own = powers.map((sum, k) => sum * scale ** (k + 1));
      const moved = about(own, count, mean - unit.origin);
      unit.powers = unit.powers.map((sum, k) => sum + (moved[k] ?? 0)) as Unit['powers'];
      unit.count += count;
      unit.least = Math.min(unit.least, least);
      unit.most = Math.max(unit.most, most);
    });
  }

  addSlopes({ most, flat }: Slopes): void {
    this.#isActivation = true;
    for (let index = 0; index < most.length; index++) {
      const unit = this.#unit(index);
      unit.steepest = Math.max(unit.steepest, most[index] ?? 0);
      unit.flat += flat[index] ?? 0;
    }
  }

  addGradients(squares: ArrayLike<number>): void {
    for (let index = 0; index < squares.length; index++) this.#unit(index).gradientSquares += squares[index] ?? 0;
  }

  moments(): Moments {
    const units = this.#units;
    const counted = units.reduce((sum, { count }) => sum + count, 0);
    const mean = units.reduce((sum, { origin, count, powers: [first] }) => sum + origin * count + first, 0) / counted;
    let [second, fourth, within] = [0, 0, 0];
    for (const { origin, count, powers } of units) {
      const [, squares = 0, , fourths = 0] = about(powers, count, origin - mean);
      second += squares;
      fourth += fourths;
      within += Math.max(0, powers[1] - powers[0] ** 2 / count);
    }
    const variance = second / counted;
    const kurtosis = fourth / counted / variance ** 2;
    const ends = {
      least: Math.min(...units.map(({ least }) => least)),
      most: Math.max(...units.map((unit) => unit.most)),
    };
    return { mean, variance, kurtosis, unitVariance: within / counted, ...ends };
  }

  shares(): UnitShares {
    const isDead = ({ least, most, steepest }: Unit): boolean =>
      (least === 0 && most === 0) || (this.#isActivation && steepest === 0);
    const share = (test: (unit: Unit) => boolean): number => this.#units.filter(test).length / this.#units.length;
    return {
      dead: share(isDead),
      saturated: this.#isActivation ? share((unit) => !isDead(unit) && unit.flat > most * unit.count) : undefined,
      unreached: share((unit) => !isDead(unit) && unit.gradientSquares === 0),
    };
  }
}

/** Sums of (x - a)^k, k from 1 to 4, of `count` values, as sums of (x - a + shift)^k. */
function about([s1 = 0, s2 = 0, s3 = 0, s4 = 0]: readonly number[], count: number, shift: number): number[] {
  const d = shift;
  return [
    s1 + count * d,
    s2 + 2 * d * s1 + count * d ** 2,
    s3 + 3 * d * s2 + 3 * d ** 2 * s1 + count * d ** 3,
    s4 + 4 * d * s3 + 6 * d ** 2 * s2 + 4 * d ** 3 * s1 + count * d ** 4,
  ];
}
