import { type Command, InvalidArgumentError, Option } from 'commander';
import { SluiceError } from '../base/errors.js';
import type { Device } from '../devices/device.js';
import { openableDevices } from '../devices/open.js';
import { mostThreads } from '../devices/threads.js';
import { type Output, quoted } from './output.js';
import { asUsageAsync, UsageError } from './usage.js';

/** Options that a command takes beside `--json` and `--debug`, which all take. */
export type CommonOption = 'quiet' | 'device' | 'threads' | 'seed';

/** What the common options give; the flag beats the environment variable, which beats the default. */
export interface CommonOptions {
  readonly json?: boolean;
  readonly debug?: boolean;
  readonly quiet?: boolean;
  /** `--device` or SLUICE_DEVICE. */
  readonly device?: string;
  /** `--threads` or SLUICE_THREADS. */
  readonly threads?: number;
  /** `--seed` or SLUICE_SEED. */
  readonly seed?: number;
}

export interface NumberRange {
  readonly minimum?: number;
  readonly maximum?: number;
  /** The minimum itself is refused. */
  readonly open?: boolean;
}

/** A parser of finite numbers in a range, for options. */
export const numberIn =
  ({ minimum = Number.NEGATIVE_INFINITY, maximum = Number.POSITIVE_INFINITY, open = false }: NumberRange) =>
  (text: string): number => {
    const value = text.trim() === '' ? Number.NaN : Number(text);
    if (!Number.isFinite(value) || value > maximum || (open ? value <= minimum : value < minimum)) {
      throw new InvalidArgumentError(`It is a number${rangeText({ minimum, maximum, open })}.`);
    }
    return value;
  };

/** A parser of whole numbers in a range, for options. */
export const integerIn =
  (range: NumberRange) =>
  (text: string): number => {
    const value = Number(text.trim() === '' ? Number.NaN : text.replaceAll('_', ''));
    const { minimum = Number.MIN_SAFE_INTEGER, maximum = Number.MAX_SAFE_INTEGER } = range;
    if (!Number.isSafeInteger(value) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`It is a whole number${rangeText(range)}.`);
    }
    return value;
  };

function rangeText({ minimum, maximum, open = false }: NumberRange): string {
  const from = minimum === undefined || !Number.isFinite(minimum) ? '' : `${open ? 'above' : 'from'} ${minimum}`;
  const to = maximum === undefined || !Number.isFinite(maximum) ? '' : `to ${maximum}`;
  const text = [from, to].filter((part) => part !== '').join(' ');
  return text === '' ? '' : ` ${text}${from !== '' && to === '' && !open ? ' on' : ''}`;
}

/** `none` hides the threads: one is left. */
const threadsOf = (text: string): number =>
  text === 'none' ? 1 : integerIn({ minimum: 1, maximum: mostThreads })(text);

const options: Readonly<Record<CommonOption, () => Option>> = {
  quiet: () => new Option('--quiet', 'no progress on standard error'),
  device: () => new Option('--device <name>', `where to compute: ${openableDevices.join(', ')}`).env('SLUICE_DEVICE'),
  threads: () =>
    new Option('--threads <number>', 'threads that compute; one for each core by default')
      .env('SLUICE_THREADS')
      .argParser(threadsOf),
  seed: () =>
    new Option('--seed <number>', 'of everything random').env('SLUICE_SEED').argParser(integerIn({ minimum: 0 })),
};

/** Adds `--json`, `--debug` and the named common options to a command. */
export function common(command: Command, ...names: readonly CommonOption[]): Command {
  command.addOption(new Option('--json', 'one JSON object on standard output at the end'));
  for (const name of names) command.addOption(options[name]());
  return command.addOption(new Option('--debug', 'show the stack of an error'));
}

/** Refuses a word that a command has no place for, with the flag that it is meant for. */
export function refuseMore(command: Command, flagFor: (word: string) => string): Command {
  return command.allowExcessArguments().hook('preAction', () => {
    const [word] = command.args.slice(command.registeredArguments.length);
    if (word === undefined) return;
    const rule = `sluice ${command.name()} takes ${command.registeredArguments.length === 0 ? 'flags alone' : 'one folder, and flags'}`;
    const remedy = `Did you mean ${flagFor(word)} ${quoted(word)}?`;
    throw new UsageError(new SluiceError('argument', { rule, received: word, remedy }));
  });
}

/** An option that may be given several times, each time with one value. */
export const repeatable = (flags: string, description: string): Option =>
  new Option(flags, `${description} (repeatable)`).argParser((text: string, before: readonly string[] | undefined) => [
    ...(before ?? []),
    text,
  ]);

/**
 * Opens the device that the options ask for, hands it to `use`, and closes it whatever happens. Where the automatic one
 * lacks a kernel, the next one does it anew, unless something was said already.
 */
export async function withDevice<T>(
  output: Output,
  { device, threads }: CommonOptions,
  use: (device: Device) => Promise<T>,
  { deterministic = false } = {},
): Promise<T> {
  const { openDevice } = await import('../devices/open.js');
  const { reasonToFallBack } = await import('../devices/fallback.js');
  const onNotice = (line: string): void => output.progress(line);
  const options = { ...(threads === undefined ? {} : { threads }), deterministic, onNotice };
  let opened = await asUsageAsync(() => openDevice(device, options));
  try {
    return await use(opened);
  } catch (error) {
    const reason = reasonToFallBack(device ?? 'auto', error);
    if (reason === undefined || output.hasSpoken) throw error;
    output.progress(reason);
    await opened.close();
    opened = await openDevice(device, { ...options, except: opened.name });
    return await use(opened);
  } finally {
    await opened.close();
  }
}
