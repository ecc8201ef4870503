import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { underRule } from '../formats/file-system.js';
import { runFiles } from '../runs/run-folder.js';
import type { Judged } from '../runs/task.js';
import type { ClassScores } from '../training/metrics.js';
import type { Register } from './command.js';
import { type CommonOptions, common, integerIn, refuseMore, withDevice } from './options.js';
import { Output } from './output.js';
import { withSignals } from './signals.js';

interface EvaluateFlags extends CommonOptions {
  readonly data?: string;
  readonly batch: number;
  readonly pictures?: string | true;
}

export const registerEvaluate: Register = (program, context) => {
  const command = common(
    program
      .command('evaluate')
      .description(
        'How good a trained model is on what it did not learn from: loss and bits per byte of a text, or the metrics of its task.',
      )
      .argument('<run>', 'the folder of the run')
      .option('--data <path>', 'the text, or the table; by default what the run held out')
      .option('--batch <number>', 'sequences, or examples, at a time', integerIn({ minimum: 1 }), 8)
      .option(
        '--pictures [folder]',
        'draw losses, confusion matrix and decision boundary as SVG files; into RUN/pictures',
      ),
    'quiet',
    'device',
    'threads',
  );
  refuseMore(command, () => '--data').action(async (run: string, flags: EvaluateFlags) => {
    const output = new Output(context.terminal, flags);
    context.exitCode = await withSignals((signal) => evaluateRun(run, flags, output, signal));
  });
};

async function evaluateRun(run: string, flags: EvaluateFlags, output: Output, signal: AbortSignal): Promise<number> {
  const [{ locateModel }, { readFolder }, { taskNamed }] = await Promise.all([
    import('../runs/hub/locate.js'),
    import('../runs/read-folder.js'),
    import('../runs/tasks.js'),
  ]);
  return withDevice(output, flags, async (device) => {
    const folder = await locateModel(run);
    const record = await readFolder(folder);
    const judge = await taskNamed(record.settings.task).judge({ folder, record, device });
    const { data, batch } = flags;
    const tell = (note: string): void => output.progress(note);
    const judged = await judge.judge({ data, batch, signal, tell }).finally(() => judge.close());
    output.panel(judged.facts);
    if (judged.scores !== undefined) showClasses(output, judged.scores);
    const drawn = flags.pictures === undefined ? undefined : await drawInto(folder, flags.pictures, judged);
    if (drawn !== undefined) output.lines('', ...drawn.map((path) => `wrote ${path}`));
    output.result(drawn === undefined ? judged.details : { ...judged.details, pictures: drawn });
    return 0;
  });
}

/** More classes than this are no table for a terminal; the picture has them. */
const mostColumns = 12;

/** The figures of each class, and what its examples were taken for. */
function showClasses(output: Output, { classes, confusion }: ClassScores): void {
  const right = (title: string) => ({ title, align: 'right' }) as const;
  const share = (value: number): string => value.toFixed(3);
  output.lines('');
  output.table(
    [{ title: 'class' }, right('examples'), right('precision'), right('recall'), right('F1')],
    classes.map(({ name, examples, precision, recall, f1 }) => [
      ...[name, String(examples), share(precision), share(recall), share(f1)],
    ]),
  );
  if (classes.length > mostColumns) return;
  output.lines('', 'What the examples of each class (rows) were taken for:');
  output.table(
    [{ title: '' }, ...classes.map(({ name }) => right(name))],
    confusion.map((row, i) => [classes[i]?.name ?? '', ...row.map(String)]),
  );
}

/** Draws what there is to draw; gives the files' paths. */
async function drawInto(run: string, named: string | true, judged: Judged): Promise<string[]> {
  const [{ readRecords }, { picturesOf }] = await Promise.all([
    import('../formats/json-lines.js'),
    import('../experiments/pictures.js'),
  ]);
  const pictures = await picturesOf(await readRecords(join(run, runFiles.metrics)), judged);
  const folder = named === true ? join(run, 'pictures') : named;
  return underRule(`${folder} must be a folder that can be written`, async () => {
    await mkdir(folder, { recursive: true });
    const paths = pictures.map(({ name }) => join(folder, `${name}.svg`));
    for (const [i, { svg }] of pictures.entries()) await writeFile(paths[i] ?? '', svg);
    return paths;
  });
}
