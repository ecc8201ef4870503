import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { SluiceError } from '../base/errors.js';
import { presetNames } from '../runs/presets.js';
import { runFiles } from '../runs/run-folder.js';
import {
  checkSettings,
  defaults,
  describeSetting,
  type PartialSettings,
  type SettingName,
  settingNames,
  settingType,
} from '../runs/settings.js';
import type { Register } from './command.js';
import { type CommonOptions, common, integerIn, numberIn, refuseMore } from './options.js';
import { Output } from './output.js';
import { withSignals } from './signals.js';
import { asUsage, asUsageAsync, UsageError } from './usage.js';

interface TrainOptions extends CommonOptions {
  readonly config?: string;
  readonly preset?: string;
  readonly out?: string;
  readonly resume?: string;
  readonly profile?: boolean | string;
}

const kebab = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Settings that the common options bring. */
const shared: readonly SettingName[] = ['device', 'threads', 'seed'];

/** What a setting is that follows from others, in words. */
const following: Readonly<Partial<Record<SettingName, string>>> = {
  hidden: '8/3 of dim up to a multiple of 16; 4 times dim with --ffn mlp',
  kvHeads: 'as many as heads',
  minLr: 'a tenth of lr',
};

/** A flag that may be given several times. */
const joined = (value: string, before: string | undefined): string =>
  before === undefined ? value : `${before},${value}`;

/** One flag for each setting: the schema says what there is. */
function settingOption(name: SettingName): Option {
  const type = settingType(name);
  const placeholder = type === 'boolean' ? '' : type === 'string' ? ' <text>' : ' <number>';
  const fallback: unknown = defaults[name as keyof typeof defaults] ?? following[name];
  const usual = fallback === undefined || fallback === false ? '' : ` (${fallback})`;
  const option = new Option(`--${kebab(name)}${placeholder}`, `${describeSetting(name)}${usual}`);
  if (name === 'param') return option.argParser(joined);
  if (type === 'integer') return option.argParser(integerIn({}));
  return type === 'number' ? option.argParser(numberIn({})) : option;
}

export const registerTrain: Register = (program, context) => {
  const command = program.command('train').description('Train a language model from scratch, or continue a run.');
  command.option('--config <file>', 'settings from a JSON file, by the same names in camelCase');
  command.option('--preset <name>', `settings by a name: ${presetNames.join(', ')}`);
  command.option('--out <folder>', 'the folder of the run; runs/NAME-N by default');
  command.option('--resume <run>', 'continue this run from its newest checkpoint');
  command.option(
    '--profile [file]',
    "where a step's time goes; the trace for chrome://tracing goes into the run, or here",
  );
  for (const name of settingNames) if (!shared.includes(name)) command.addOption(settingOption(name));
  refuseMore(command, flagFor);
  common(command, 'quiet', 'device', 'threads', 'seed');
  command.addHelpText(
    'after',
    '\nDefaults are those of a LLaMA on text; other tasks and models have their own, shown at the start and kept in run.json.',
  );
  command.action(async (options: TrainOptions) => {
    const { TrainView } = await import('./train-view.js');
    const output = new Output(context.terminal, options);
    const view = new TrainView(output);
    context.exitCode = await withSignals(async (signal) => {
      try {
        for await (const event of await eventsOf(command, options, signal)) view.show(event);
      } catch (error) {
        // Until a new run starts, a wrong argument comes from the command line.
        if (view.isStarted || options.resume !== undefined) throw error;
        asUsage(() => {
          throw error;
        });
      }
      return view.finish();
    });
  });
};

/** What a word without a flag was meant as. */
function flagFor(word: string): string {
  if (presetNames.some((name) => name === word)) return '--preset';
  return existsSync(join(word, runFiles.record)) ? '--resume' : '--data';
}

async function eventsOf(command: Command, options: TrainOptions, signal: AbortSignal) {
  const { profile = false } = options;
  if (options.resume !== undefined) {
    const { checkChanges, resumeRun } = await import('../runs/start-run.js');
    if (options.preset !== undefined || options.config !== undefined || options.out !== undefined) {
      throw new UsageError(
        new SluiceError('argument', {
          rule: '--resume goes without --preset, --config and --out',
          received: options.resume,
          remedy: 'Leave them out: the run has its own.',
        }),
      );
    }
    const changes = asUsage(() => checkedSettings(settingsGiven(command, ['seed'])));
    asUsage(() => checkChanges(changes));
    return resumeRun(options.resume, { changes, signal, profile });
  }
  const { startRun } = await import('../runs/start-run.js');
  const settings = await asUsageAsync(async () => resolveSettings(settingsGiven(command), options));
  return startRun(settings, { signal, profile, ...(options.out === undefined ? {} : { out: options.out }) });
}

/** Flags and environment beat the config file, which beats the preset. */
async function resolveSettings(given: Readonly<Record<string, unknown>>, { config, preset }: TrainOptions) {
  const [{ complete, presetFor }, { layered }] = await Promise.all([
    import('../runs/complete.js'),
    import('../runs/presets.js'),
  ]);
  const file = config === undefined ? {} : await readConfigFile(config);
  const chosen = preset ?? file['preset'];
  const fromFile = checkSettings(file, config ?? 'the config file');
  const asked = layered(fromFile, checkedSettings(given));
  return complete(layered(chosen === undefined ? {} : presetFor(String(chosen), asked), asked));
}

const checkedSettings = (given: Readonly<Record<string, unknown>>): PartialSettings =>
  checkSettings(given, 'the command line');

/** What was said on the command line or in the environment (but these): no defaults. */
function settingsGiven(command: Command, notFromEnvironment: readonly SettingName[] = []): Record<string, unknown> {
  const values: Record<string, unknown> = {};
  for (const name of settingNames) {
    const source = command.getOptionValueSource(name);
    if (source === undefined || source === 'default') continue;
    if (source !== 'env' || !notFromEnvironment.includes(name)) values[name] = command.getOptionValue(name);
  }
  return values;
}

async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new SluiceError('argument', {
      rule: 'a config file can be read',
      received: path,
      remedy: 'Check the path.',
      cause,
    });
  }
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return { ...parsed };
  } catch (cause) {
    throw new SluiceError('argument', {
      rule: `${path} holds JSON`,
      received: cause instanceof Error ? cause.message : cause,
      remedy: 'For example {"preset": "1m", "data": "my.txt"}.',
      cause,
    });
  }
  const remedy = 'For example {"preset": "1m", "data": "my.txt"}.';
  throw new SluiceError('argument', { rule: `${path} holds a JSON object of settings`, received: text, remedy });
}
