import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import * as v from 'valibot';
import { SluiceError } from '../../base/errors.js';
import { plural } from '../../base/plural.js';
import { type RandomKey, randomKey } from '../../base/random.js';
import { type Examples, lengthsOf, offsetsOf, selectExamples, stratifiedSplit } from '../../data/examples.js';
import { loadTokenizer, saveTokenizer } from '../../data/load-tokenizer.js';
import { MarkedTokenizer } from '../../data/marked-tokenizer.js';
import { mnist, shifted } from '../../data/mnist.js';
import { piecesOf } from '../../data/pieces.js';
import { columnOf, isMissing, type Table } from '../../data/table.js';
import {
  type ChosenTable,
  chooseColumns,
  encodeTable,
  fitEncoding,
  missingPolicies,
  type TableEncoding,
  wordsOf,
} from '../../data/table-encoding.js';
import { encodeTexts, tableOfLines } from '../../data/text-encoding.js';
import type { Tokenizer } from '../../data/tokenizer.js';
import { parseTokenizerSpec, trainTokenizer } from '../../data/tokenizer-spec.js';
import { drawPoints, type ToyTask } from '../../data/toy-tasks.js';
import { writeFileAtomically } from '../../formats/durable.js';
import { encodeJson } from '../../formats/json-values.js';
import { SafetensorsFile } from '../../formats/safetensors-file.js';
import { float32Entry, writeSafetensors } from '../../formats/safetensors-write.js';
import { readTable, readUtf8 } from '../read-table.js';
import { readJson, runFiles } from '../run-folder.js';
import { issueRule, type Settings } from '../settings.js';
import { isEncoder } from './encoder-types.js';
import { isClassLoss } from './heads.js';
import { readWindows, requireReadable } from './sequence-data.js';

/** Examples to learn from and to be judged by, and how they were made of what was given. */
export interface ExampleData {
  readonly encoding: TableEncoding;
  /** Of texts. */
  readonly tokenizer?: Tokenizer;
  readonly training: Examples;
  readonly validation: Examples;
}

export interface ReadData extends ExampleData {
  readonly note: string | undefined;
}

/** Its own key: neither the order of learning nor the points follow from who was held out. */
const splitKey = (seed: number): RandomKey => randomKey(seed, 'evaluation');

function parted(examples: Examples, encoding: TableEncoding, { validation: share, seed }: Settings): ReadData {
  const { training, validation } = stratifiedSplit(examples.targets, share, splitKey(seed));
  const part = (indices: Int32Array): Examples => selectExamples(examples, indices);
  return { encoding, training: part(training), validation: part(validation), note: undefined };
}

/** Numbers of one mean and deviation, under these names, and words for the classes. */
const encodingOf = (
  inputs: readonly string[],
  { mean, deviation }: { readonly mean: number; readonly deviation: number },
  target: string,
  words: readonly string[],
): TableEncoding => ({
  inputs: inputs.map((name) => ({ kind: 'number', name, mean, deviation })),
  target: { kind: 'words', name: target, words },
  missing: 'refuse',
});

/** Points that a toy task draws. */
export function drawnData(task: ToyTask, settings: Settings): ReadData {
  const points = drawPoints(task, settings.examples, randomKey(settings.seed, 'noise'));
  return parted(points, encodingOf(['x', 'y'], { mean: 0, deviation: 1 }, 'label', task.classes), settings);
}

/** Of all pixels of MNIST's training set. */
const ink = { mean: 0.1307, deviation: 0.3081 } as const;

/** Handwritten digits. */
export async function digitData(settings: Settings): Promise<ReadData> {
  const digits = await mnist();
  const pixels = Array.from({ length: digits.width }, (_, i) => `pixel${i}`);
  const words = Array.from({ length: 10 }, (_, digit) => String(digit));
  const inputs = digits.inputs.map((value) => (value - ink.mean) / ink.deviation);
  return parted({ ...digits, inputs }, encodingOf(pixels, ink, 'label', words), settings);
}

/** Digits to learn from, each moved by a pixel or two, another way each time. */
export const shiftedDigits = (digits: Examples, { shift }: Settings, key: RandomKey): Examples =>
  shift === 0 ? digits : shifted(digits, shift, -ink.mean / ink.deviation, key);

/** Rows of a table. @throws SluiceError `data` with file and line. */
export async function tableData(settings: Settings): Promise<ReadData> {
  const whole = await readTable(settings.data);
  const { target, inputs, missing, loss } = settings;
  if (missing === 'previous') throw rowsHaveNoOrder();
  const chosen = chooseColumns(whole, {
    target,
    inputs: inputs?.split(',').map((name) => name.trim()),
    missing,
    kind: loss === undefined ? undefined : isClassLoss(loss) ? 'classes' : 'values',
  });
  const { table } = chosen;
  const all = Int32Array.from(table.rows, (_, i) => i);
  const { targets } = encodeTable(table, fitEncoding(chosen, all, missing));
  const { training, validation } = stratifiedSplit(targets, settings.validation, splitKey(settings.seed));
  // Means and deviations come from what is learned from alone: what is held out must not be seen.
  const encoding = fitEncoding(chosen, training, missing);
  const examples = encodeTable(table, encoding);
  const part = (indices: Int32Array): Examples => selectExamples(examples, indices);
  return { encoding, training: part(training), validation: part(validation), note: noteOf(whole, chosen) };
}

const rowsHaveNoOrder = (): SluiceError =>
  new SluiceError('argument', {
    rule: 'a missing value of a table is refused, filled in by the mean, or its row dropped',
    received: '--missing previous',
    remedy: 'Only of a series, --task forecast, does the row before say something.',
  });

/** Texts with a class each: lines of JSON, or a table. @throws SluiceError `data` with file and line. */
export async function textData(settings: Settings): Promise<ReadData> {
  const { target = 'label', inputs: text = 'text' } = settings;
  const table = await readTexts(settings.data, [text, target], 2);
  const chosen = chooseColumns(table, { target, inputs: [text], missing: 'refuse', kind: 'classes' });
  const words = wordsOf(table, target);
  const classes = Int32Array.from(table.rows, ({ cells }) =>
    words.indexOf((cells[columnOf(table, target)] ?? '').trim()),
  );
  const { training, validation } = stratifiedSplit(classes, settings.validation, splitKey(settings.seed));
  const spec = parseTokenizerSpec(settings.tokenizer);
  // A character tokenizer sees all of the text, so that what is held out has no unknown character.
  const seen = spec.kind === 'char' ? table.rows : Array.from(training, (i) => table.rows[i]);
  const texts = seen.map((row) => row?.cells[columnOf(table, text)] ?? '');
  const plain = await trainTokenizer(spec, piecesOf(texts), { documents: true });
  const tokenizer = isEncoder(settings.model) ? new MarkedTokenizer(plain) : plain;
  const encoding: TableEncoding = {
    inputs: [{ kind: 'text', name: text, vocabularySize: tokenizer.vocabularySize }],
    target: { kind: 'words', name: target, words },
    missing: 'refuse',
    sequence: { longest: settings.context, targets: 1 },
  };
  const examples = encodeTexts(table, encoding, tokenizer);
  const part = (indices: Int32Array): Examples => selectExamples(examples, indices);
  const long = lengthsOf(examples).filter((length) => length === settings.context).length;
  const cut = long === 0 ? '' : `; of ${plural(long, 'text')} the first ${settings.context} tokens count (--context)`;
  const note = `${noteOf(table, chosen)}${cut}`;
  return { encoding, tokenizer, training: part(training), validation: part(validation), note };
}

/** A table of texts, from lines of JSON with these fields or from a table. */
export async function readTexts(path: string, fields: readonly string[], least: 1 | 2): Promise<Table> {
  if (/\.[ct]sv$/i.test(path)) return readTable(path, least);
  return tableOfLines(path, await readUtf8(path), fields);
}

/** What was taken for what, and which values were missing. */
function noteOf(whole: Table, { table, target, inputs, isClasses }: ChosenTable): string {
  const kind = isClasses ? 'a class' : 'a value';
  const taken = `${whole.path}: ${plural(table.rows.length, 'row')}; ${target} is predicted, as ${kind}, from ${plural(inputs.length, 'column')}`;
  const holes = [...inputs, target].flatMap((name) => {
    const at = whole.columns.indexOf(name);
    const lines = whole.rows.filter(({ cells }) => isMissing(cells[at] ?? '')).map(({ line }) => line);
    const shown = `${lines.slice(0, 3).join(', ')}${lines.length > 3 ? ', ...' : ''}`;
    return lines.length === 0 ? [] : [`${plural(lines.length, 'value')} of ${name} missing (line ${shown})`];
  });
  const left = whole.rows.length - table.rows.length;
  const done = left > 0 ? `${plural(left, 'row')} left out` : 'filled in by the mean';
  return holes.length === 0 ? taken : `${taken}; ${holes.join(', ')}: ${done}`;
}

/** The examples of a file as a run's model sees them. */
async function readExamples(path: string, encoding: TableEncoding, folder: string): Promise<Examples> {
  const [first] = encoding.inputs;
  requireReadable(encoding, path);
  if (encoding.sequence?.series !== undefined) return readWindows(path, encoding);
  if (first?.kind !== 'text') return encodeTable(await readTable(path, 1), encoding);
  const table = await readTexts(path, [first.name, encoding.target.name], 1);
  return encodeTexts(table, encoding, await loadTokenizer(folder));
}

/** The examples of a file, or those that the run held out. */
export const examplesOf = (folder: string, encoding: TableEncoding, data: string | undefined): Promise<Examples> =>
  data === undefined ? loadExamples(folder, 'validationExamples', encoding) : readExamples(data, encoding, folder);

/** Keeps examples in a run's folder, so that it can be resumed and judged without what they were made of. */
export async function saveData(
  folder: string,
  { encoding, tokenizer, training, validation }: ExampleData,
): Promise<void> {
  await mkdir(dirname(join(folder, runFiles.trainingExamples)), { recursive: true });
  await writeFileAtomically(join(folder, runFiles.encoding), `${encodeJson(encoding, 2)}\n`);
  if (tokenizer !== undefined) await saveTokenizer(folder, tokenizer);
  for (const [file, examples] of [
    [runFiles.trainingExamples, training],
    [runFiles.validationExamples, validation],
  ] as const) {
    const { count, width, inputs, offsets, targets, targetWidth = 1 } = examples;
    const entries = [
      float32Entry('inputs', [inputs.length / width, width], inputs),
      float32Entry('targets', [count, targetWidth], Float32Array.from(targets)),
      // Lengths, not offsets: these may be larger than a float32 can count.
      ...(offsets === undefined ? [] : [float32Entry('lengths', [count], Float32Array.from(lengthsOf(examples)))]),
    ];
    await writeFileAtomically(join(folder, file), (sink) => writeSafetensors(sink, entries));
  }
}

const columnSchema = v.variant('kind', [
  v.object({ kind: v.literal('number'), name: v.string(), mean: v.number(), deviation: v.number() }),
  v.object({ kind: v.literal('words'), name: v.string(), words: v.array(v.string()) }),
]);
const textSchema = v.object({ kind: v.literal('text'), name: v.string(), vocabularySize: v.number() });
const encodingSchema = v.object({
  inputs: v.array(v.union([columnSchema, textSchema])),
  target: columnSchema,
  missing: v.picklist(missingPolicies),
  sequence: v.exactOptional(
    v.object({
      longest: v.number(),
      targets: v.number(),
      series: v.exactOptional(v.object({ season: v.exactOptional(v.number()), heldOutFrom: v.number() })),
    }),
  ),
});

/** @throws SluiceError `checkpoint` that names the file. */
export async function loadEncoding(folder: string): Promise<TableEncoding> {
  const result = v.safeParse(encodingSchema, await readJson(folder, runFiles.encoding));
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new SluiceError('checkpoint', {
    rule: `in ${join(folder, runFiles.encoding)} ${issueRule(issue)}`,
    received: issue.input,
    remedy: 'Restore the file as Sluice wrote it, or train anew.',
  });
}

export async function loadExamples(
  folder: string,
  file: 'trainingExamples' | 'validationExamples',
  { target }: TableEncoding,
): Promise<Examples> {
  const reader = await SafetensorsFile.open(join(folder, runFiles[file]));
  try {
    const [inputs, targets] = [await reader.readFloat32('inputs'), await reader.readFloat32('targets')];
    const lengths = reader.names().includes('lengths') ? await reader.readFloat32('lengths') : undefined;
    const [count = 0, targetWidth = 1] = reader.info('targets').shape;
    return {
      count,
      width: reader.info('inputs').shape[1] ?? 1,
      inputs,
      targets: target.kind === 'words' ? Int32Array.from(targets) : targets,
      ...(targetWidth === 1 ? {} : { targetWidth }),
      ...(lengths === undefined ? {} : { offsets: offsetsOf(lengths) }),
    };
  } finally {
    await reader.close();
  }
}
