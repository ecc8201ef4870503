import { extent } from '../../base/extent.js';
import type { Examples } from '../../data/examples.js';
import { loadTokenizer } from '../../data/load-tokenizer.js';
import { marksOf } from '../../data/marks.js';
import type { TableEncoding } from '../../data/table-encoding.js';
import type { Device } from '../../devices/device.js';
import { Bert } from '../../models/bert.js';
import type { Encoder } from '../../models/encoder.js';
import { ModernBert } from '../../models/modernbert.js';
import { judgeExamples } from '../../training/judge-examples.js';
import { loadWeights } from '../checkpointing.js';
import { embed } from '../embed.js';
import type { Boundary, Embedded, EmbedOptions, Judge, Judged, JudgeOptions } from '../task.js';
import { examplesOf } from './example-data.js';
import type { ExampleModel } from './example-model.js';
import { predict } from './example-predict.js';
import { factsOf, judgementOf, scored } from './example-scores.js';
import { forecastOf } from './forecast-scores.js';

export interface JudgedModel {
  readonly folder: string;
  readonly device: Device;
  readonly encoding: TableEncoding;
  /** What it was learned from. */
  readonly source: string;
  readonly built: ExampleModel;
}

/** A trained model of examples, with its weights. */
export async function openJudge(parts: JudgedModel): Promise<Judge> {
  const { folder, built } = parts;
  await loadWeights(folder, built.model);
  const { model } = built;
  const isReader = model instanceof Bert || model instanceof ModernBert;
  return {
    judge: (options) => judge(parts, options),
    predict: (options) => predict(parts, options),
    ...(isReader ? { embed: (options: EmbedOptions) => embedBy(parts, model, options) } : {}),
    close: async () => built.model.dispose(),
  };
}

async function embedBy({ folder, device }: JudgedModel, model: Encoder, options: EmbedOptions): Promise<Embedded> {
  const tokenizer = await loadTokenizer(folder);
  return embed({ device, model, tokenizer, marks: marksOf(tokenizer) }, options);
}

async function judge(parts: JudgedModel, options: JudgeOptions): Promise<Judged> {
  const { folder, device, encoding, built } = parts;
  const { data, batch, signal } = options;
  const examples = await examplesOf(folder, encoding, data);
  const judged = await judgeExamples(device, built.predict, examples, { batch, signal });
  const result = scored(encoding, built.head, examples, judged);
  const facts = factsOf(result, built.head.loss);
  const { details } = judgementOf(result);
  if (result.kind === 'values') {
    const { predicted, actual } = result;
    const forecast = forecastOf(encoding, examples, predicted, data === undefined);
    const values = { name: encoding.target.name, predicted, actual };
    return { facts, details, values, ...(forecast === undefined ? {} : { forecast }) };
  }
  const boundary = await boundaryOf(parts, examples);
  return { facts, details, scores: result.scores, ...(boundary === undefined ? {} : { boundary }) };
}

/** Points along each axis of the picture. */
const gridSize = 96;

/** What a model of two numbers takes each point of the plane for. */
async function boundaryOf({ device, encoding, built }: JudgedModel, examples: Examples): Promise<Boundary | undefined> {
  const { inputs, target } = encoding;
  const [first, second] = inputs;
  const isPlane = inputs.length === 2 && first?.kind === 'number' && second?.kind === 'number';
  if (!isPlane || target.kind !== 'words') return undefined;
  const column = (at: number): number[] =>
    Array.from({ length: examples.count }, (_, i) => examples.inputs[2 * i + at] ?? 0);
  const [xs, ys] = [column(0), column(1)];
  const [x, y] = [widened(xs), widened(ys)];
  const along = ([from, to]: readonly [number, number], i: number): number => from + ((to - from) * i) / (gridSize - 1);
  const count = gridSize * gridSize;
  const grid = Float32Array.from({ length: 2 * count }, (_, k) => {
    const i = Math.floor(k / 2);
    return k % 2 === 0 ? along(x, i % gridSize) : along(y, Math.floor(i / gridSize));
  });
  const plane: Examples = { count, width: 2, inputs: grid, targets: new Int32Array(count) };
  const { outputs } = await judgeExamples(device, built.predict, plane, { batch: 1024 });
  const { head } = built;
  const scores = Array.from({ length: count }, (_, i) =>
    head.scores(outputs.subarray(i * head.outputs, (i + 1) * head.outputs)),
  );
  const lead = (values: Float64Array, k: number): number =>
    (values[k] ?? 0) - Math.max(...values.filter((_, other) => other !== k));
  const units = ({ mean, deviation }: typeof first, value: number): number => value * deviation + mean;
  return {
    inputs: [first.name, second.name],
    classes: target.words,
    x: [units(first, x[0]), units(first, x[1])],
    y: [units(second, y[0]), units(second, y[1])],
    size: gridSize,
    leads: target.words.map((_, k) => Float64Array.from(scores, (values) => lead(values, k))),
    points: Array.from(examples.targets, (label, i) => ({
      x: units(first, xs[i] ?? 0),
      y: units(second, ys[i] ?? 0),
      label,
    })),
  };
}

/** From the least to the largest, and a tenth of that beyond on both sides. */
function widened(values: readonly number[]): [number, number] {
  const [low, high] = extent(values);
  const more = 0.1 * (high - low || 1);
  return [low - more, high + more];
}
