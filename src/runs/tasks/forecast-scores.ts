import type { Examples } from '../../data/examples.js';
import { naiveForecasts } from '../../data/series.js';
import type { NumberColumn, TableEncoding } from '../../data/table-encoding.js';
import { type ValueScores, valueScores } from '../../training/metrics.js';
import type { Facts, Forecast } from '../task.js';

/** How well the simplest forecasts do on the same windows: what a model has to beat. */
export interface NaiveScores {
  /** Of saying the last value again. */
  readonly lastValue: ValueScores;
  /** Of saying what was a season before; none where no season is known. */
  readonly seasonal?: ValueScores & { readonly season: number };
}

const inUnits = (values: Float32Array, { mean, deviation }: NumberColumn): Float64Array =>
  Float64Array.from(values, (value) => value * deviation + mean);

/** @param actual in the units of the data; undefined where the examples are no series. */
export function naiveScores(
  { target, sequence }: TableEncoding,
  windows: Examples,
  actual: Float64Array,
): NaiveScores | undefined {
  if (target.kind !== 'number' || sequence?.series === undefined) return undefined;
  const { season } = sequence.series;
  const { lastValue, seasonal } = naiveForecasts(windows, season);
  const scores = (forecast: Float32Array): ValueScores => valueScores(inUnits(forecast, target), actual);
  if (seasonal === undefined || season === undefined) return { lastValue: scores(lastValue) };
  return { lastValue: scores(lastValue), seasonal: { season, ...scores(seasonal) } };
}

const short = (value: number): string => String(Number(value.toPrecision(4)));

/** For a person: what each simple forecast comes to. */
export function naiveFacts({ lastValue, seasonal }: NaiveScores): Facts {
  const said = ({ meanSquaredError, meanAbsoluteError, r2 }: ValueScores): string =>
    `mean squared error ${short(meanSquaredError)}, absolute ${short(meanAbsoluteError)}, R^2 ${r2?.toFixed(4) ?? 'none'}`;
  return [
    ['last value', said(lastValue)],
    ...(seasonal === undefined ? [] : [[`season of ${seasonal.season}`, said(seasonal)] as const]),
  ];
}

/** A series and its forecasts, for a picture: of overlapping ones those that lie end to end. */
export function forecastOf(
  { target, sequence }: TableEncoding,
  windows: Examples,
  predicted: Float64Array,
  isHeldOut: boolean,
): Forecast | undefined {
  if (target.kind !== 'number' || sequence?.series === undefined) return undefined;
  const { longest: window, targets: horizon } = sequence;
  const begins = isHeldOut ? Math.max(sequence.series.heldOutFrom, window) : window;
  const { count, width, inputs, targets } = windows;
  const history = Float32Array.from({ length: window }, (_, step) => inputs[step * width] ?? 0);
  // The first target of each window, and all of the last one's.
  const first = Float32Array.from({ length: count - 1 }, (_, i) => targets[i * horizon] ?? 0);
  const last = targets.slice((count - 1) * horizon) as Float32Array;
  return {
    name: target.name,
    row: begins - window + 1,
    truth: inUnits(Float32Array.of(...history, ...first, ...last), target),
    forecasts:
      horizon === 1
        ? [{ row: begins + 1, values: predicted }]
        : Array.from({ length: Math.ceil(count / horizon) }, (_, k) => ({
            row: begins + k * horizon + 1,
            values: predicted.slice(k * horizon * horizon, (k * horizon + 1) * horizon),
          })),
  };
}
