import type { Examples } from '../../data/examples.js';
import type { TableEncoding } from '../../data/table-encoding.js';
import type { JudgedExamples } from '../../training/judge-examples.js';
import { type ClassScores, classScores, type ValueScores, valueScores } from '../../training/metrics.js';
import type { Facts, Judgement } from '../task.js';
import { type NaiveScores, naiveFacts, naiveScores } from './forecast-scores.js';
import type { Head } from './heads.js';

/** What a model says of each example, in the words and units of the data. */
export type Scored =
  | { readonly kind: 'classes'; readonly loss: number; readonly predicted: Int32Array; readonly scores: ClassScores }
  | {
      readonly kind: 'values';
      readonly loss: number;
      readonly predicted: Float64Array;
      readonly actual: Float64Array;
      readonly scores: ValueScores;
      /** Of a series. */
      readonly naive?: NaiveScores;
    };

/** The outputs of each example. */
const rowsOf = (outputs: Float32Array, width: number): Float32Array[] =>
  Array.from({ length: outputs.length / width }, (_, i) => outputs.subarray(i * width, (i + 1) * width));

/** The place of the largest; the first of several. */
const largest = (values: Float64Array): number =>
  values.reduce((best, value, i) => (value > (values[best] ?? 0) ? i : best), 0);

export function scored(encoding: TableEncoding, head: Head, examples: Examples, judged: JudgedExamples): Scored {
  const { target } = encoding;
  const { loss, outputs } = judged;
  const rows = rowsOf(outputs, head.outputs);
  if (target.kind === 'words') {
    const predicted = Int32Array.from(rows, (row) => largest(head.scores(row)));
    return { kind: 'classes', loss, predicted, scores: classScores(predicted, examples.targets, target.words) };
  }
  const inUnits = (value: number): number => value * target.deviation + target.mean;
  const predicted = Float64Array.from(outputs, inUnits);
  const actual = Float64Array.from(examples.targets, inUnits);
  const naive = naiveScores(encoding, examples, actual);
  const scores = valueScores(predicted, actual);
  return { kind: 'values', loss, predicted, actual, scores, ...(naive === undefined ? {} : { naive }) };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** What metrics.jsonl, a script and a person are told. */
export function judgementOf(result: Scored): Judgement {
  const { loss } = result;
  if (result.kind === 'classes') {
    const { scores } = result;
    const { accuracy, macroF1 } = scores;
    const summary = `Held-out examples: accuracy ${percent(accuracy)}, macro F1 ${macroF1.toFixed(3)}, loss ${loss.toFixed(4)}`;
    return { loss, logged: { accuracy, macroF1 }, details: { loss, ...scores }, summary };
  }
  const { scores, naive } = result;
  const { meanSquaredError, r2 } = scores;
  const explained = r2 === undefined ? '' : `R^2 ${r2.toFixed(4)}, `;
  const summary = `Held-out examples: ${explained}mean squared error ${Number(meanSquaredError.toPrecision(4))}, loss ${loss.toFixed(4)}`;
  return {
    loss,
    logged: { meanSquaredError, ...(r2 === undefined ? {} : { r2 }) },
    details: { loss, ...scores, ...(naive === undefined ? {} : { naive }) },
    summary: naive === undefined ? summary : `${summary}${naiveSummary(naive)}`,
  };
}

const naiveSummary = ({ lastValue, seasonal }: NaiveScores): string => {
  const said = ({ meanSquaredError }: ValueScores): string => String(Number(meanSquaredError.toPrecision(4)));
  const season = seasonal === undefined ? '' : `, the value ${seasonal.season} rows before ${said(seasonal)}`;
  return `. In comparison: the last value again ${said(lastValue)}${season}`;
};

/** Every figure but those of single classes. */
export function factsOf(result: Scored, lossName: string): Facts {
  const ends: Facts = [
    ['loss', `${result.loss.toFixed(4)} (${lossName})`],
    ['examples', String(result.scores.examples)],
  ];
  if (result.kind === 'classes') {
    const { scores } = result;
    return [['accuracy', percent(scores.accuracy)], ['macro F1', scores.macroF1.toFixed(4)], ...ends];
  }
  const { scores } = result;
  const short = (value: number): string => String(Number(value.toPrecision(5)));
  return [
    ['R^2', scores.r2 === undefined ? 'none: all values are equal' : scores.r2.toFixed(4)],
    ['mean squared error', short(scores.meanSquaredError)],
    ['mean absolute error', short(scores.meanAbsoluteError)],
    ...ends,
    ...(result.naive === undefined ? [] : naiveFacts(result.naive)),
  ];
}
