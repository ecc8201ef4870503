import { SluiceError } from '../../base/errors.js';
import type { Examples } from '../../data/examples.js';
import { loadTokenizer } from '../../data/load-tokenizer.js';
import type { Table } from '../../data/table.js';
import { completeRows, encodeTable, type TableEncoding } from '../../data/table-encoding.js';
import { encodeTexts } from '../../data/text-encoding.js';
import { judgeExamples } from '../../training/judge-examples.js';
import { readTable } from '../read-table.js';
import type { OnePrediction, Predicted, PredictOptions } from '../task.js';
import { readTexts } from './example-data.js';
import type { JudgedModel } from './example-judge.js';
import { readLastWindow, requireReadable } from './sequence-data.js';

/** Examples to say something of, and what each is called; a series has a name for each value. */
interface Asked {
  readonly examples: Examples;
  readonly names: readonly (string | number)[];
}

/** What a model says of a file, of texts, or of what follows a series. */
export async function predict(parts: JudgedModel, options: PredictOptions): Promise<Predicted> {
  const { device, encoding, built } = parts;
  const { batch, signal } = options;
  const { examples, names } = await asked(parts, options);
  const { outputs } = await judgeExamples(device, built.predict, examples, { batch, signal });
  const { target } = encoding;
  const { head } = built;
  const predictions = names.map((of, i): OnePrediction => {
    if (target.kind === 'number') return { of, value: (outputs[i] ?? 0) * target.deviation + target.mean };
    const scores = head.scores(outputs.subarray(i * head.outputs, (i + 1) * head.outputs));
    const best = scores.indexOf(Math.max(...scores));
    // A threshold unit says yes or no.
    if (head.loss === 'mistakes') return { of, value: target.words[best] ?? '' };
    const odds = scores.reduce((sum, score) => sum + Math.exp(score - (scores[best] ?? 0)), 0);
    return { of, value: target.words[best] ?? '', probability: 1 / odds };
  });
  return { target: target.name, predictions };
}

async function asked({ folder, encoding, source }: JudgedModel, { data, texts }: PredictOptions): Promise<Asked> {
  const { inputs, sequence } = encoding;
  const [first] = inputs;
  const isText = first?.kind === 'text';
  if (texts.length > 0 && (!isText || data !== undefined)) {
    throw new SluiceError('argument', {
      rule: 'a text is given to a model of texts, in place of --data',
      received: isText ? `--data ${data}` : `a model of ${inputs.map(({ name }) => name).join(', ')}`,
      remedy: isText ? 'Leave one of them out.' : 'Give --data FILE.',
    });
  }
  if (sequence?.series !== undefined) {
    const { examples, rows } = await readLastWindow(data ?? source, encoding);
    return { examples, names: Array.from({ length: sequence.targets }, (_, i) => rows + i + 1) };
  }
  if (data === undefined && texts.length === 0) {
    const remedy = isText ? 'Give --text "..." or --data FILE.' : 'Give --data FILE.';
    throw new SluiceError('argument', { rule: 'something is predicted of what is given', received: 'nothing', remedy });
  }
  if (data !== undefined) requireReadable(encoding, data);
  const whole = data === undefined ? tableOf(texts, first?.name ?? '') : await read(data, encoding);
  const table = withTarget(whole, encoding);
  const examples = isText ? encodeTexts(table, encoding, await loadTokenizer(folder)) : encodeTable(table, encoding);
  return { examples, names: data === undefined ? texts : table.rows.map(({ line }) => line) };
}

function read(path: string, { inputs: [first] }: TableEncoding): Promise<Table> {
  return first?.kind === 'text' ? readTexts(path, [first.name], 1) : readTable(path, 1);
}

const tableOf = (texts: readonly string[], column: string): Table => ({
  path: '--text',
  columns: [column],
  rows: texts.map((text, i) => ({ line: i + 1, cells: [text] })),
});

/** The rows that nothing is missing of, with any value that may be in the column to predict: nobody looks at it. */
function withTarget(table: Table, { inputs, target, missing }: TableEncoding): Table {
  const at = table.columns.indexOf(target.name);
  const other = target.kind === 'words' ? (target.words[0] ?? '') : '0';
  const names = inputs.map(({ name }) => name);
  const rows = completeRows(table, names, target.name, missing, 'asked').map(({ line, cells }) => ({
    line,
    cells: at < 0 ? [...cells, other] : cells.with(at, other),
  }));
  return { ...table, columns: at < 0 ? [...table.columns, target.name] : table.columns, rows };
}
