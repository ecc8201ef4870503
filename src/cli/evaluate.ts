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
  const [{ openRun }, { evaluate }, { closeText, openRunText }, { tokenByteLengths }] = await Promise.all([
    import('../runs/open-run.js'),
    import('../training/evaluate.js'),
    import('../runs/prepare.js'),
    import('../data/tokenizer.js'),
  ]);
  return withDevice(output, flags, async (device) => {
    const { folder, config, model, tokenizer } = await openRun(run, device);
    const source = await openRunText(folder, tokenizer, flags.data, (note) => output.progress(note));
    const options = { batch: flags.batch, context: config.maxPositionEmbeddings, signal };
    const result = await evaluate(device, model, source, tokenByteLengths(tokenizer), options).finally(() =>
      closeText(source),
    );
    output.panel([
      ['loss', `${result.loss.toFixed(4)} nats per token`],
      ['perplexity', result.perplexity.toFixed(2)],
      ['bits per byte', result.bitsPerByte.toFixed(4)],
      ['tokens', String(result.tokens)],
    ]);
    output.result(result);
    return 0;
  });
}
