import { SluiceError } from '../base/errors.js';
import type { OnePrediction } from '../runs/task.js';
import type { Register } from './command.js';
import { type CommonOptions, common, integerIn, refuseMore, repeatable, withDevice } from './options.js';
import { Output } from './output.js';
import { withSignals } from './signals.js';

interface PredictFlags extends CommonOptions {
  readonly data?: string;
  readonly text: readonly string[];
  readonly batch: number;
}

export const registerPredict: Register = (program, context) => {
  const command = common(
    program
      .command('predict')
      .description('What a trained model says of a table, of texts, or of the rows that follow a series.')
      .argument('<run>', 'the folder of the run')
      .option('--data <file>', 'a table, lines of JSON, or another series; its target need not be there')
      .addOption(repeatable('--text <text>', 'a text to classify').default([], 'none'))
      .option('--batch <number>', 'examples at a time', integerIn({ minimum: 1 }), 64),
    'quiet',
    'device',
    'threads',
  );
  refuseMore(command, () => '--text').action(async (run: string, flags: PredictFlags) => {
    const output = new Output(context.terminal, flags);
    context.exitCode = await withSignals((signal) => predictWith(run, flags, output, signal));
  });
};

async function predictWith(run: string, flags: PredictFlags, output: Output, signal: AbortSignal): Promise<number> {
  const [{ locateModel }, { readFolder }, { taskNamed }] = await Promise.all([
    import('../runs/hub/locate.js'),
    import('../runs/read-folder.js'),
    import('../runs/tasks.js'),
  ]);
  return withDevice(output, flags, async (device) => {
    const folder = await locateModel(run);
    const record = await readFolder(folder);
    const judge = await taskNamed(record.settings.task).judge({ folder, record, device });
    try {
      if (judge.predict === undefined) {
        throw new SluiceError('checkpoint', {
          rule: 'a run that predicts is one of a task of examples',
          received: record.settings.task,
          remedy: `Let it write: sluice generate ${run}.`,
        });
      }
      const { data, text: texts, batch } = flags;
      const predicted = await judge.predict({ data, texts, batch, signal });
      const { target, predictions } = predicted;
      const isClass = predictions.some(({ value }) => typeof value === 'string');
      const isWeighed = predictions.some(({ probability }) => probability !== undefined);
      const right = (title: string) => ({ title, align: 'right' }) as const;
      const name = texts.length > 0 ? { title: 'text' } : right(isSeries(record.settings.task) ? 'row' : 'line');
      output.table(
        [name, isClass ? { title: target } : right(target), ...(isWeighed ? [right('probability')] : [])],
        predictions.map(cellsOf),
      );
      output.result(predicted);
    } finally {
      await judge.close();
    }
    return 0;
  });
}

const isSeries = (task: string): boolean => task === 'forecast';

function cellsOf({ of, value, probability }: OnePrediction): string[] {
  const said = typeof value === 'number' ? String(Number(value.toPrecision(6))) : value;
  return [String(of), said, ...(probability === undefined ? [] : [probability.toFixed(3)])];
}
