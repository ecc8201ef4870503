/** How far the gates of a recurrent layer are saturated: where they stand, no gradient comes through them. */
import type { Cell } from '../../activations/cells.js';
import type { Activation } from '../../activations/kinds.js';
import { variable } from '../../scalar/expression.js';
import { interpreter } from '../../scalar/interpret.js';
import { internal, type Tensor } from '../../tensor/index.js';
import { byUnit, endsOf, type UnitEnds } from './unit-kernels.js';
import { most } from './unit-statistics.js';

/** What was seen of an activation within a cell, whose values have two ends. */
export interface GateReport {
  /** That of the pre-activation, or the role: i, f, g, o and output of an LSTM. */
  readonly name: string;
  readonly activation: string;
  /** What it gives far below and far above 0: 0 and 1 for a sigmoid. */
  readonly ends: readonly [low: number, high: number];
  readonly mean: number;
  /** The shares of all values that are within a tenth of the way from an end. */
  readonly near: readonly [low: number, high: number];
  /** The shares of units that are there for more than nine inputs of ten. */
  readonly units: readonly [low: number, high: number];
}

const far = 1e30;
/** How near an end counts as saturated, of the way between both. Source: Karpathy 2015, arXiv:1506.02078. */
const reach = 0.1;

/** The ends of an activation; undefined for one that has none, or the same on both sides. */
function endsOfActivation(activation: Activation): readonly [number, number] | undefined {
  const evaluate = interpreter([activation.of(variable('x'))], ['x']);
  const [low = 0] = evaluate([-far]);
  const [high = 0] = evaluate([far]);
  const isBounded = Math.abs(low) < Math.sqrt(far) && Math.abs(high) < Math.sqrt(far);
  return isBounded && low < high ? [low, high] : undefined;
}

interface Gathered {
  readonly activation: string;
  readonly ends: readonly [number, number];
  readonly units: { low: number; high: number; sum: number }[];
  inputs: number;
}

/** Gathers what single batches say of a cell's activations. */
export class GateRecord {
  readonly #gates = new Map<string, Gathered>();

  constructor(cell: Cell) {
    for (const { name, activation } of cell.parts) {
      const ends = endsOfActivation(activation);
      if (ends === undefined) continue;
      this.#gates.set(name, { activation: activation.name, ends, units: [], inputs: 0 });
    }
  }

  /** @param parts [rows, hidden] by name */
  async add(parts: Readonly<Record<string, Tensor>>): Promise<void> {
    for (const [name, gate] of this.#gates) {
      const values = parts[name];
      if (values === undefined) continue;
      const rows = internal(() => byUnit(values).keep());
      const [low, high] = gate.ends;
      const margin = reach * (high - low);
      const units = await endsOf(rows, low + margin, high - margin);
      gate.inputs += rows.shape[1] ?? 0;
      rows.dispose();
      for (const [i, unit] of units.entries()) gate.units[i] = added(gate.units[i], unit);
    }
  }

  reports(): GateReport[] {
    return [...this.#gates].map(([name, { activation, ends, units, inputs }]) => {
      const share = (of: 'low' | 'high'): number => sum(units.map((unit) => unit[of])) / (inputs * units.length);
      const held = (of: 'low' | 'high'): number =>
        units.filter((unit) => unit[of] > most * inputs).length / units.length;
      return {
        ...{ name, activation, ends },
        mean: sum(units.map((unit) => unit.sum)) / (inputs * units.length),
        near: [share('low'), share('high')],
        units: [held('low'), held('high')],
      };
    });
  }
}

const added = (before: UnitEnds | undefined, { low, high, sum }: UnitEnds): UnitEnds =>
  before === undefined
    ? { low, high, sum }
    : { low: before.low + low, high: before.high + high, sum: before.sum + sum };

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
