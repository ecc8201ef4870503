/** What is reduced on the device: a row for each unit, the inputs along it. */
import { constant, type Expression, variable } from '../../scalar/expression.js';
import { internal, rowTensors, type Tensor, tensor } from '../../tensor/index.js';

/** A unit's values over the inputs it met, or its gradients. */
export interface UnitRow {
  readonly mean: number;
  /** The largest distance from the mean: what the sums of powers are counted in, so that none underflows. */
  readonly scale: number;
  /** Of ((x - mean) / scale)^k, k from 1 to 4. */
  readonly powers: readonly [number, number, number, number];
  readonly least: number;
  readonly most: number;
}

const [x, length] = [variable('x'), variable('length')];
const positiveOr1 = (value: Expression): Expression => constant(0).whereLess(value, value, 1);

const mean = x.sum().div(length);
const distance = x.sub(mean);
const scale = distance.abs().maximum();
const scaled = distance.div(positiveOr1(scale));
const squared = scaled.mul(scaled);
const moments = [
  ...[mean, scale, scaled.sum(), squared.sum(), squared.mul(scaled).sum(), squared.mul(squared).sum()],
  ...[x.neg().maximum().neg(), x.maximum()],
] as const;

const largest = x.abs().maximum();
const part = x.div(positiveOr1(largest));
const sizes = [largest, part.mul(part).sum()] as const;

/** [..., units] as a row for each unit; of images [batch, channels, height, width] for each channel. */
export function byUnit(values: Tensor): Tensor {
  const { shape } = values;
  if (shape.length === 4) return values.permute([1, 0, 2, 3]).reshape([shape[1] ?? 1, -1]);
  if (shape.length < 2) return values.reshape([1, -1]);
  return values
    .reshape([-1, shape.at(-1) ?? 1])
    .transpose(0, 1)
    .contiguous();
}

/** Of [batch, time, width] the steps that are there, [steps, width]; anything else as it is. */
export function withoutPadding(sequences: Tensor, lengths: ArrayLike<number> | undefined): Tensor {
  const [batch = 0, time = 0, width = 0] = sequences.shape;
  if (sequences.shape.length !== 3 || lengths?.length !== batch) return sequences;
  const places = Array.from({ length: batch * time }, (_, place) => place);
  const there = places.filter((place) => place % time < (lengths[Math.floor(place / time)] ?? 0));
  return sequences.reshape([-1, width]).gather(tensor(sequences.device, Int32Array.from(there)));
}

/** [batch, time, ...] as a row for each step. */
export const byStep = (values: Tensor): Tensor => values.transpose(0, 1).reshape([values.shape[1] ?? 1, -1]);

/** The columns that the rows of a kernel's outputs make. */
async function columns(outputs: readonly Tensor[]): Promise<ArrayLike<number>[]> {
  const read: ArrayLike<number>[] = [];
  for (const output of outputs) {
    read.push(await output.toArray());
    output.dispose();
  }
  return read;
}

const kept = (outputs: readonly Tensor[]): readonly Tensor[] => outputs.map((output) => output.keep());

/** @param rows [units, inputs] */
export async function momentsOf(rows: Tensor): Promise<UnitRow[]> {
  const read = await columns(internal(() => kept(rowTensors(moments, { elements: { x: rows } }))));
  return Array.from({ length: rows.shape[0] ?? 0 }, (_, unit) => {
    const [mean = 0, scale = 0, s1 = 0, s2 = 0, s3 = 0, s4 = 0, least = 0, most = 0] = read.map(
      (column) => column[unit],
    );
    return { mean, scale, powers: [s1, s2, s3, s4], least, most };
  });
}

/** The sum of squares of each row, in float64 so that none underflows. @param rows [units, inputs] */
export async function squaresOf(rows: Tensor): Promise<Float64Array> {
  const [most = [], sums = []] = await columns(internal(() => kept(rowTensors(sizes, { elements: { x: rows } }))));
  return Float64Array.from(most, (value, row) => value * value * (sums[row] ?? 0));
}

/** How steep an activation is where its units stand. */
export interface Slopes {
  /** The largest |f'| of each unit. */
  readonly most: ArrayLike<number>;
  /** Inputs for which |f'| is below the threshold, of each unit. */
  readonly flat: ArrayLike<number>;
}

/**
 * @param slope the derivative, in variables that are elements or learned parameters
 * @param elements [units, inputs] each
 * @param learned [units] each
 */
export async function slopesOf(
  slope: Expression,
  elements: Readonly<Record<string, Tensor>>,
  learned: Readonly<Record<string, Tensor>>,
  threshold: number,
): Promise<Slopes> {
  const [units = 0, inputs = 0] = Object.values(elements)[0]?.shape ?? [];
  if (slope.value !== undefined) {
    const size = Math.abs(slope.value);
    return { most: Array(units).fill(size), flat: Array(units).fill(size < threshold ? inputs : 0) };
  }
  const size = slope.abs();
  const outputs = [size.maximum(), size.whereLess(variable('threshold'), 1, 0).sum()] as const;
  const [most = [], flat = []] = await columns(
    internal(() => kept(rowTensors(outputs, { elements, rows: learned }, { threshold }))),
  );
  return { most, flat };
}

/** How often a unit's values are below `low` and above `high`, and their sum. */
export interface UnitEnds {
  readonly low: number;
  readonly high: number;
  readonly sum: number;
}

const [low, high, width] = [variable('low'), variable('high'), variable('width')];
const ends = [x.whereLess(low, 1, 0).sum(), high.whereLess(x, 1, 0).sum(), x.sum()] as const;

/** @param rows [units, inputs] */
export async function endsOf(rows: Tensor, below: number, above: number): Promise<UnitEnds[]> {
  const scalars = { low: below, high: above };
  const read = await columns(internal(() => kept(rowTensors(ends, { elements: { x: rows } }, scalars))));
  return Array.from({ length: rows.shape[0] ?? 0 }, (_, unit) => {
    const [low = 0, high = 0, sum = 0] = read.map((column) => column[unit]);
    return { low, high, sum };
  });
}

/** How many bars a histogram has. */
export const bars = 32;
const below = Array.from({ length: bars - 1 }, (_, k) => x.whereLess(low.add(width.mul(k + 1)), 1, 0).sum());

/** Values between low and low + bars width, by bar; those beyond are in the outer ones. @param rows [units, inputs] */
export async function countsOf(rows: Tensor, from: number, barWidth: number): Promise<number[]> {
  const [units = 0, inputs = 0] = rows.shape;
  const scalars = { low: from, width: barWidth };
  const read = await columns(internal(() => kept(rowTensors(below, { elements: { x: rows } }, scalars))));
  const sums = [...read.map((column) => Array.from(column).reduce((sum, count) => sum + count, 0)), units * inputs];
  return sums.map((sum, k) => sum - (sums[k - 1] ?? 0));
}
