import type { Register } from './command.js';
import { type CommonOptions, common, integerIn, refuseMore, withDevice } from './options.js';
import { Output } from './output.js';
import { withSignals } from './signals.js';

interface EvaluateFlags extends CommonOptions {
  readonly data?: string;
  readonly batch: number;
}

export const registerEvaluate: Register = (program, context) => {
  const command = common(
    program
      .command('evaluate')
      .description('The loss, perplexity and bits per byte of a trained model on a text.')
      .argument('<run>', 'the folder of the run')
      .option('--data <path>', 'the text; by default what the run held out')
      .option('--batch <number>', 'sequences at a time', integerIn({ minimum: 1 }), 8),
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
  const [{ readRecord }, { taskNamed }] = await Promise.all([
    import('../runs/run-folder.js'),
    import('../runs/tasks.js'),
  ]);
  return withDevice(flags, async (device) => {
    const record = await readRecord(run);
    const judge = await taskNamed(record.settings.task).judge({ folder: run, record, device });
    const { data, batch } = flags;
    const tell = (note: string): void => output.progress(note);
    const judged = await judge.judge({ data, batch, signal, tell }).finally(() => judge.close());
    output.panel(judged.facts);
    output.result(judged.details);
    return 0;
  });
}
