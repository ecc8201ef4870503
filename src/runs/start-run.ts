import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import { requireTargets, requireWindow } from '../data/batches.js';
import { loadTokenizer } from '../data/load-tokenizer.js';
import type { TokenSource } from '../data/token-source.js';
import type { Tokenizer } from '../data/tokenizer.js';
import { parseTokenizerSpec } from '../data/tokenizer-spec.js';
import type { Device } from '../devices/device.js';
import { openDevice } from '../devices/open.js';
import { truncateMetrics } from '../formats/json-lines.js';
import { Initializer } from '../layers/initialization.js';
import { Llama, type LlamaConfig } from '../models/llama.js';
import { type LatestCheckpoint, latestCheckpoint } from '../training/checkpoints-read.js';
import { discardCheckpointsAfter } from '../training/checkpoints-retention.js';
import { type ScheduleOptions, shortWarmup } from '../training/schedules.js';
import { Trainer } from '../training/trainer.js';
import { restoreTrainer } from './checkpointing.js';
import { lockRun } from './lock.js';
import { configOf } from './model.js';
import { readConfig } from './open-run.js';
import { checkMemory, plan } from './plan.js';
import {
  closeTokens,
  makeTokenizer,
  openTexts,
  openTokens,
  requireLength,
  type Texts,
  type TokenFiles,
  tokenize,
} from './prepare.js';
import { Profile } from './profile.js';
import { during } from './progress.js';
import {
  checkRunFolder,
  createRunFolder,
  discardRunFiles,
  discardRunFolder,
  readRecord,
  requireFree,
  runFiles,
  writeRecord,
} from './run-folder.js';
import { type RunState, readState } from './run-state.js';
import { checkSettings, type PartialSettings, type SettingName, type Settings } from './settings.js';
import { type ActiveRun, environmentOf, type RunEvent, saveModel, trainLoop } from './train-run.js';
import { packageVersion } from './version.js';

export interface StartOptions {
  /** The folder of the new run; by default the next free one in `runs/`. */
  readonly out?: string;
  /** Ends the run after its step: a checkpoint is saved, and `interrupted` told. Before it has started the reason is thrown. */
  readonly signal?: AbortSignal;
  /** Measures where the time of ten steps goes, told as `profiled`; a path is the trace's, true puts it into the run. */
  readonly profile?: boolean | string;
}

/**
 * Trains a new model from settings. What goes on is told as events; the run's folder holds everything that is made.
 * @throws SluiceError before anything is trained for settings, data or memory that cannot work.
 */
export async function* startRun(
  settings: Settings,
  { out, signal, profile: wanted }: StartOptions = {},
): AsyncGenerator<RunEvent> {
  checkSettings({ ...settings }, 'the settings');
  const spec = parseTokenizerSpec(settings.tokenizer);
  const smallest = configOf(settings, spec.kind === 'bpe' ? spec.vocabularySize : 2);
  // All that can be refused is refused before the tokenizer is trained, which may take minutes.
  await checkRunFolder(out);
  const texts = await openTexts(settings);
  requireLength(texts.training, settings.context);
  if (texts.note !== undefined) yield { kind: 'note', message: texts.note };
  const notices: string[] = [];
  const { device, profile } = await openFor(settings, wanted ?? false, notices);
  try {
    for (const message of notices) yield { kind: 'note', message };
    checkMemory(device, smallest, settings);
    const tokenizer = yield* during((tell, until) => makeTokenizer(texts, settings, tell, until), signal);
    if (tokenizer.vocabularySize < smallest.vocabSize) {
      const sizes = `${tokenizer.vocabularySize} tokens, not the ${smallest.vocabSize} asked for`;
      yield { kind: 'note', message: `the vocabulary has ${sizes}: nothing else occurs twice in the text` };
    }
    const folder = await createRunFolder(out, settings.data === 'demo' ? 'demo' : settings.model);
    yield* runIn(folder, { device, profile }, texts, tokenizer, settings, signal);
  } finally {
    await device.close();
  }
}

/** Tokenizes, makes the run's files and trains; a run that does not come so far leaves nothing behind. */
async function* runIn(
  folder: string,
  { device, profile }: Opened,
  texts: Texts,
  tokenizer: Tokenizer,
  settings: Settings,
  signal?: AbortSignal,
): AsyncGenerator<RunEvent> {
  let isRun = false;
  let sources: TokenFiles | undefined;
  try {
    await using _lock = await lockRun(folder);
    await requireFree(folder); // a whole run may have been made here before the lock was had
    // While the lock is held: afterwards the folder may be another's.
    await using _undo = {
      [Symbol.asyncDispose]: async () => {
        if (sources !== undefined) await closeTokens(sources);
        if (!isRun) await discardRunFiles(folder);
      },
    };
    const config = configOf(settings, tokenizer.vocabularySize);
    const estimate = await plan(device, config, settings);
    sources = yield* during((tell, until) => tokenize(folder, texts, tokenizer, tell, until), signal, closeTokens);
    requireWindow(sources.training, settings.context);
    requireTargets(sources.validation);
    const trainer = makeTrainer({ device, settings, config, source: sources.training });
    const decided = { ...settings, steps: await decideSteps(settings, trainer, sources.training) };
    const schedule = scheduleOf(decided);
    const run: ActiveRun = {
      ...{ folder, device, settings: decided, config, tokenizer, ...sources, trainer, schedule, profile },
    };
    profile?.watch(trainer);
    await saveModel(run);
    // Last: a folder without it is no run.
    await writeRecord(folder, {
      formatVersion: 1,
      settings: run.settings,
      feedForward: config.feedForward.toJSON(),
      versions: { sluice: packageVersion(), node: process.version },
    });
    isRun = true;
    yield { kind: 'started', run, plan: estimate };
    yield* trainLoop(run, signal);
  } finally {
    if (!isRun) await discardRunFolder(folder);
  }
}

export interface ResumeOptions {
  /** Settings that may change: steps, and where and how it runs. */
  readonly changes?: PartialSettings;
  readonly signal?: AbortSignal;
  /** As in `StartOptions`. */
  readonly profile?: boolean | string;
}

const changeable: readonly string[] = [
  'steps',
  'evalEvery',
  'evalTokens',
  'sampleEvery',
  'saveEvery',
  'keep',
  'device',
  'threads',
] satisfies readonly SettingName[];

/**
 * The changes that are given, checked.
 * @throws SluiceError `argument` for a setting that a run keeps and for a value outside its range, `name` for an unknown key.
 */
export function checkChanges(changes: PartialSettings): PartialSettings {
  const given = checkSettings(changes, 'the changes');
  const fixed = Object.keys(given).find((key) => !changeable.includes(key));
  if (fixed === undefined) return given;
  throw new SluiceError('argument', {
    rule: 'a resumed run keeps its settings',
    received: fixed,
    remedy: `These may change: ${changeable.join(', ')}. Start a new run for others.`,
  });
}

/**
 * Continues a run from its newest valid checkpoint, or from its start when it was ended before the first.
 * @throws SluiceError `checkpoint` when all of them are damaged, `busy` when another process trains it.
 */
export async function* resumeRun(
  folder: string,
  { changes: asked = {}, signal, profile: wanted }: ResumeOptions = {},
): AsyncGenerator<RunEvent> {
  const changes = checkChanges(asked);
  const record = await readRecord(folder);
  await using _lock = await lockRun(folder);
  const latest = await latestCheckpoint(folder);
  const settings = { ...record.settings, ...changes } as Settings;
  const config = await readConfig(folder, record);
  const tokenizer = await loadTokenizer(folder);
  const notices: string[] = [];
  const { device, profile } = await openFor(settings, wanted ?? false, notices);
  let sources: TokenFiles | undefined;
  try {
    for (const message of notices) yield { kind: 'note', message };
    for (const message of warningsOf(latest, device)) yield { kind: 'warning', message };
    const state = await stateOf(folder, latest, settings);
    const steps = changes.steps ?? state.steps;
    if (steps < state.step) {
      throw new SluiceError('argument', {
        rule: `steps is at least those that are done, ${state.step}`,
        received: steps,
        remedy: 'Give more --steps, or train anew.',
      });
    }
    if (steps === state.step) {
      yield { kind: 'warning', message: `all is done after ${plural(steps, 'step')}; a larger --steps goes on` };
    }
    const estimate = await plan(device, config, settings);
    sources = await openTokens(folder);
    const schedule = scheduleOf({ ...settings, steps });
    const trainer = makeTrainer({ device, settings, config, source: sources.training, done: state.step });
    await truncateMetrics(join(folder, runFiles.metrics), state.step);
    if (latest.checkpoint !== undefined) {
      await restoreTrainer(trainer, latest.checkpoint);
      const { warnings } = await discardCheckpointsAfter(folder, state.step);
      for (const { message } of warnings) yield { kind: 'warning', message };
    }
    const run = { folder, device, settings, config, tokenizer, ...sources, trainer, schedule, profile };
    profile?.watch(trainer);
    yield { kind: 'started', run, plan: estimate };
    yield* trainLoop(run, signal);
  } finally {
    if (sources !== undefined) await closeTokens(sources);
    await device.close();
  }
}

/** Where to go on: the start, if no checkpoint was ever made. */
async function stateOf(
  folder: string,
  { checkpoint, refused }: LatestCheckpoint,
  { steps }: Settings,
): Promise<RunState> {
  if (checkpoint !== undefined) return readState(checkpoint);
  const [damaged] = refused;
  if (damaged === undefined) return { step: 0, steps };
  throw new SluiceError('checkpoint', {
    rule: 'a resumed run has a valid checkpoint',
    received: folder,
    remedy: `None of ${refused.length} can be used: train anew.`,
    cause: damaged.reason,
  });
}

function* warningsOf({ checkpoint, refused }: LatestCheckpoint, device: Device): Generator<string> {
  for (const { folder, reason } of refused) yield `${folder} is not used: ${reason.message}`;
  const then = JSON.stringify(checkpoint?.environment ?? {});
  const now = JSON.stringify(environmentOf(device));
  if (checkpoint !== undefined && then !== now) {
    yield `the checkpoint was made under other conditions, so results may differ in the last bits: ${then}, now ${now}`;
  }
}

interface Opened {
  readonly device: Device;
  readonly profile: Profile | undefined;
}

async function openFor(
  { device: name, threads, deterministic }: Settings,
  wanted: boolean | string,
  notices: string[],
): Promise<Opened> {
  const device = await openDevice(name, {
    deterministic,
    ...(threads === undefined ? {} : { threads }),
    onNotice: (line) => notices.push(line),
  });
  if (wanted === false) return { device, profile: undefined };
  const profile = new Profile(device, wanted === true ? undefined : wanted);
  return { device: profile.device, profile };
}

interface TrainerParts {
  readonly device: Device;
  readonly settings: Settings;
  readonly config: LlamaConfig;
  readonly source: TokenSource;
  readonly done?: number;
}

function makeTrainer({ device, settings, config, source, done = 0 }: TrainerParts): Trainer {
  const model = new Llama(new Initializer(device, settings.seed), config);
  const { batch, context, accumulate, seed, weightDecay, clip, beta2 } = settings;
  const options = { batch, context, accumulate, seed, optimizer: { weightDecay, clip, beta2 } };
  return new Trainer(device, model, source, options, done);
}

const scheduleOf = ({ schedule, lr, minLr, warmup, steps }: Settings): ScheduleOptions => ({
  schedule,
  lr,
  minLr,
  warmup: shortWarmup(warmup, steps),
  steps,
});

/** Steps from `steps`, `epochs` or `time`; a time is measured once and then fixed, so that the run can be repeated. */
async function decideSteps(settings: Settings, trainer: Trainer, source: TokenSource): Promise<number> {
  const { batch, context, accumulate, epochs, time } = settings;
  if (time !== undefined) {
    const rehearsals: number[] = [];
    for (let i = 0; i < 6; i++) rehearsals.push(await trainer.rehearse());
    const [, , median = 1] = rehearsals.slice(1).sort((a, b) => a - b);
    return Math.max(1, Math.floor(time / median));
  }
  if (epochs === undefined) return settings.steps;
  return Math.max(1, Math.ceil((epochs * source.length) / (batch * context * accumulate)));
}
