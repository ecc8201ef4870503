import type { Command } from 'commander';
import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import type { OpenRun } from '../runs/open-run.js';
import { completeGeneration, type GenerationSettings, generationDefaults } from '../runs/sampling.js';
import type { Register } from './command.js';
import { type CommonOptions, common, integerIn, numberIn, refuseMore, repeatable, withDevice } from './options.js';
import { Output } from './output.js';
import { withSignals } from './signals.js';
import { asUsage, UsageError } from './usage.js';

interface GenerateFlags extends CommonOptions, Omit<GenerationSettings, 'seed'> {
  readonly prompt: string;
  readonly chat?: string;
  readonly system?: string;
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
      .option('--chat <text>', 'say this to a model that was taught to chat, by its chat template')
      .option('--system <text>', 'what the system tells it before; for --chat')
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
    requireOneWay(flags);
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
    const opened = await openRun(run, device);
    const { model, tokenizer, beginToken } = opened;
    const isBegun = flags.prompt !== '' || beginToken !== undefined;
    const begun =
      flags.chat === undefined
        ? { prompt: isBegun ? flags.prompt : asUsage(() => beginning(tokenizer)), endTokens: opened.endTokens }
        : await conversation(opened, flags.chat, flags.system);
    const { prompt } = begun;
    const write = (text: string): void => {
      if (!output.json) output.terminal.out(text);
    };
    write(flags.prompt);
    const options = { ...settings, ...begun, beginToken, signal };
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

/** What a model is given that somebody talks to, and what ends its turn. */
async function conversation(
  { folder, tokenizer, endTokens }: OpenRun,
  said: string,
  system: string | undefined,
): Promise<{ readonly prompt: string; readonly isFramed: true; readonly endTokens: readonly number[] }> {
  const { readChatTemplate } = await import('../runs/chat/template.js');
  const template = await readChatTemplate(folder, tokenizer);
  const told = system === undefined ? [] : [{ role: 'system', content: system }];
  const prompt = await template.render([...told, { role: 'user', content: said }]);
  const endOfTurn = await template.endOfTurn(tokenizer);
  const usual = tokenizer.endOfText === undefined || endTokens.length > 0 ? endTokens : [tokenizer.endOfText];
  return { prompt, isFramed: true, endTokens: [...usual, ...(endOfTurn === undefined ? [] : [endOfTurn])] };
}

/** Chatting and continuing are two things. */
function requireOneWay({ prompt, chat, system }: GenerateFlags): void {
  const parts = { rule: '--chat takes no --prompt, and --system takes --chat', received: system ?? prompt };
  if ((chat !== undefined && prompt !== '') || (chat === undefined && system !== undefined)) {
    throw new UsageError(
      new SluiceError('argument', { ...parts, remedy: 'Give --chat, with --system where you like.' }),
    );
  }
}

/** What decides the text, as far as it was said; without a seed it is another one each time. */
function given(command: Command, flags: GenerateFlags): Partial<GenerationSettings> {
  const names = Object.keys(generationDefaults) as (keyof GenerationSettings)[];
  const stated = names.filter((name) => command.getOptionValueSource(name) !== 'default');
  const seed = flags.seed ?? Date.now() % 2 ** 31;
  return { ...Object.fromEntries(stated.map((name) => [name, flags[name]])), seed };
}
