import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { plural } from '../base/plural.js';
import type { Device } from '../devices/device.js';
import { reasonToFallBack } from '../devices/fallback.js';
import { openDevice } from '../devices/open.js';
import { truncateMetrics } from '../formats/json-lines.js';
import { type LatestCheckpoint, latestCheckpoint } from '../training/checkpoints-read.js';
import { discardCheckpointsAfter } from '../training/checkpoints-retention.js';
import { type ScheduleOptions, shortWarmup } from '../training/schedules.js';
import { restoreTrainer } from './checkpointing.js';
import { lockRun } from './lock.js';
import { Profile } from './profile.js';
import { rehearseRun, resultOf } from './rehearse-run.js';
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
import type { Prepared, Task, TaskRun } from './task.js';
import { taskNamed } from './tasks.js';
import { type ActiveRun, environmentOf, type RunEvent, trainLoop } from './train-run.js';
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
  const task = taskNamed(settings.task);
  // All that can be refused is refused before anything is made, which may take minutes.
  await checkRunFolder(out);
  const draft = await task.open(settings);
  if (draft.note !== undefined) yield { kind: 'note', message: draft.note };
  let except: string | undefined;
  do {
    const opened = yield* openFor(settings, wanted, except);
    except = undefined;
    try {
      const prepared = yield* draft.prepare(opened.device, signal);
      const folder = await createRunFolder(out, draft.name);
      yield* runIn(folder, opened, task, prepared, settings, signal);
    } catch (error) {
      const reason = opened.hasStarted ? undefined : reasonToFallBack(settings.device, error);
      if (reason === undefined) throw error;
      yield { kind: 'note', message: reason };
      except = opened.device.name;
    } finally {
      await opened.device.close();
    }
  } while (except !== undefined);
}

/** Makes the run's files and trains; a run that does not come so far leaves nothing behind. */
async function* runIn(
  folder: string,
  opened: Opened,
  task: Task,
  prepared: Prepared,
  settings: Settings,
  signal?: AbortSignal,
): AsyncGenerator<RunEvent> {
  const { device, profile } = opened;
  let isRun = false;
  let own: TaskRun | undefined;
  try {
    await using _lock = await lockRun(folder);
    await requireFree(folder); // a whole run may have been made here before the lock was had
    // While the lock is held: afterwards the folder may be another's.
    await using _undo = {
      [Symbol.asyncDispose]: async () => {
        await own?.close();
        if (!isRun) await discardRunFiles(folder);
      },
    };
    await rehearseRun(device, () => resultOf(prepared(folder, signal)));
    own = yield* prepared(folder, signal);
    const decided = { ...settings, steps: await decideSteps(settings, own) };
    const run = activeRun(folder, device, decided, own, profile);
    await own.save();
    // Last: a folder without it is no run.
    await writeRecord(folder, {
      formatVersion: 1,
      settings: Object.fromEntries(task.settings(decided).map((name) => [name, decided[name]])),
      feedForward: own.formula.toJSON(),
      versions: { sluice: packageVersion(), node: process.version },
    });
    isRun = true;
    opened.hasStarted = true;
    yield { kind: 'started', run, plan: own.costs };
    yield* trainLoop(run, signal);
  } finally {
    if (!isRun) await discardRunFolder(folder);
  }
}

function activeRun(
  folder: string,
  device: Device,
  settings: Settings,
  task: TaskRun,
  profile: Profile | undefined,
): ActiveRun {
  const { trainer } = task;
  profile?.watch(trainer);
  return { folder, device, settings, task, trainer, schedule: scheduleOf(settings), profile };
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
  const task = taskNamed(settings.task);
  let opened = yield* openFor(settings, wanted);
  let own: TaskRun | undefined;
  try {
    const makeOn = ({ device }: Opened, done: number): Promise<TaskRun> =>
      task.resume({ folder, record, device, settings, done });
    try {
      await rehearseRun(opened.device, () => makeOn(opened, 0));
    } catch (error) {
      const reason = reasonToFallBack(settings.device, error);
      if (reason === undefined) throw error;
      yield { kind: 'note', message: reason };
      await opened.device.close();
      opened = yield* openFor(settings, wanted, opened.device.name);
    }
    const { device, profile } = opened;
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
    own = await makeOn(opened, state.step);
    await truncateMetrics(join(folder, runFiles.metrics), state.step);
    if (latest.checkpoint !== undefined) {
      await restoreTrainer(own.trainer, latest.checkpoint);
      const { warnings } = await discardCheckpointsAfter(folder, state.step);
      for (const { message } of warnings) yield { kind: 'warning', message };
    }
    const run = activeRun(folder, device, { ...settings, steps }, own, profile);
    yield { kind: 'started', run, plan: own.costs };
    yield* trainLoop(run, signal);
  } finally {
    await own?.close();
    await opened.device.close();
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
  /** From then on it stays on its device. */
  hasStarted?: boolean;
}

/** Tells why it is not the fastest. @param except as `openDevice` has it */
async function* openFor(
  { device: name, threads, deterministic }: Settings,
  wanted: boolean | string = false,
  except?: string,
): AsyncGenerator<RunEvent, Opened> {
  const notices: string[] = [];
  const device = await openDevice(name, {
    deterministic,
    ...(threads === undefined ? {} : { threads }),
    ...(except === undefined ? {} : { except }),
    onNotice: (line) => notices.push(line),
  });
  for (const message of notices) yield { kind: 'note', message };
  if (wanted === false) return { device, profile: undefined };
  const profile = new Profile(device, wanted === true ? undefined : wanted);
  return { device: profile.device, profile };
}

const scheduleOf = ({ schedule, lr, minLr, warmup, steps }: Settings): ScheduleOptions => ({
  schedule,
  lr,
  minLr,
  warmup: shortWarmup(warmup, steps),
  steps,
});

/** Steps from `steps`, `epochs` or `time`; a time is measured once and then fixed, so that the run can be repeated. */
async function decideSteps({ epochs, time, steps }: Settings, { trainer, stepsPerEpoch }: TaskRun): Promise<number> {
  if (time !== undefined) {
    const rehearsals: number[] = [];
    for (let i = 0; i < 6; i++) rehearsals.push(await trainer.rehearse());
    const [, , median = 1] = rehearsals.slice(1).sort((a, b) => a - b);
    return Math.max(1, Math.floor(time / median));
  }
  return epochs === undefined ? steps : Math.max(1, Math.ceil(epochs * stepsPerEpoch));
}
