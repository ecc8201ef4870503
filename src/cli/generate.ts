import type { Command } from 'commander';
import { plural } from '../base/plural.js';
import { completeGeneration, type GenerationSettings, generationDefaults } from '../runs/sampling.js';
import type { Register } from './command.js';
import { type CommonOptions, common, integerIn, numberIn, refuseMore, repeatable, withDevice } from './options.js';
import { Output } from './output.js';
import { withSignals } from './signals.js';
import { asUsage } from './usage.js';

interface GenerateFlags extends CommonOptions, Omit<GenerationSettings, 'seed'> {
  readonly prompt: string;
}

export const registerGenerate: Register = (program, context) => {
  const share = numberIn({ minimum: 0, maximum: 1 });
  const { maxTokens, temperature, topK, topP, minP, repetitionPenalty, stop, beams, lengthPenalty } =
    generationDefaults;
  const command = common(
    program
      .command('generate')
      .description('Continue a text with a trained model.')
      .argument('<run>', 'the folder of the run')
      .option('--prompt <text>', 'the text to continue; without it a document begins, or a line', '')
      .option('--max-tokens <number>', 'tokens to generate at most', integerIn({ minimum: 1 }), maxTokens)
      .option('--temperature <number>', '0 takes the likeliest token each time', numberIn({ minimum: 0 }), temperature)
      .option('--top-k <number>', 'choose among the k likeliest; 0 for all', integerIn({ minimum: 0 }), topK)
      .option('--top-p <number>', 'choose among the likeliest that have this probability together', share, topP)
      .option('--min-p <number>', "leave out tokens below this share of the likeliest one's probability", share, minP)
      .option(
        '--repetition-penalty <number>',
        'above 1, tokens already seen become less likely',
        numberIn({ minimum: 0, open: true }),
        repetitionPenalty,
      )
      .option(
        '--beams <number>',
        'above 1, search for the likeliest text along so many in place of drawing one',
        integerIn({ minimum: 1, maximum: 1024 }),
        beams,
      )
      .option('--length-penalty <number>', 'above 0 a search prefers longer texts', numberIn({}), lengthPenalty)
      .addOption(repeatable('--stop <text>', 'end before this text').default(stop, 'none')),
    'quiet',
    'device',
    'threads',
    'seed',
  );
  refuseMore(command, () => '--prompt').action(async (run: string, flags: GenerateFlags) => {
    const output = new Output(context.terminal, flags);
    const settings = asUsage(() => completeGeneration(given(command, flags)));
    context.exitCode = await withSignals((signal) => generateFrom(run, { flags, settings }, output, signal));
  });
};

interface Asked {
  readonly flags: GenerateFlags;
  readonly settings: GenerationSettings;
}

async function generateFrom(
  run: string,
  { flags, settings }: Asked,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  const [{ openRun }, { beginning, generate }] = await Promise.all([
    import('../runs/open-run.js'),
    import('../runs/generate.js'),
  ]);
  return withDevice(output, flags, async (device) => {
    const { model, tokenizer, endTokens, beginToken } = await openRun(run, device);
    const isBegun = flags.prompt !== '' || beginToken !== undefined;
    const prompt = isBegun ? flags.prompt : asUsage(() => beginning(tokenizer));
    const options = { ...settings, prompt, endTokens, beginToken, signal };
    const few = { ...options, maxTokens: Math.min(3, settings.maxTokens) };
    await device.rehearse?.(async () => {
      for await (const _ of generate(device, model, tokenizer, few));
    });
    const write = (text: string): void => output.write(text);
    write(flags.prompt);
    const began = performance.now();
    let [text, tokens] = ['', 0];
    for await (const piece of generate(device, model, tokenizer, options)) {
      write(piece.text);
      text += piece.text;
      tokens = piece.tokens;
    }
    write('\n');
    const seconds = (performance.now() - began) / 1000;
    const pace = `${plural(tokens, 'token')}, ${(tokens / seconds).toFixed(0)} tokens/s, seed ${settings.seed}`;
    output.progress(output.style('dim', pace));
    output.result({ prompt, text, tokens, tokensPerSecond: tokens / seconds, ...settings });
    return 0;
  });
}

/** What decides the text, as far as it was said; without a seed it is another one each time. */
function given(command: Command, flags: GenerateFlags): Partial<GenerationSettings> {
  const names = Object.keys(generationDefaults) as (keyof GenerationSettings)[];
  const stated = names.filter((name) => command.getOptionValueSource(name) !== 'default');
  const seed = flags.seed ?? Date.now() % 2 ** 31;
  return { ...Object.fromEntries(stated.map((name) => [name, flags[name]])), seed };
}
