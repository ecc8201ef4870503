import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { loadTokenizer } from '../data/load-tokenizer.js';
import { TokenFile } from '../data/token-file.js';
import type { TokenSource } from '../data/token-source.js';
import type { Device } from '../devices/device.js';
import { openDevice } from '../devices/open.js';
import { truncateMetrics } from '../formats/json-lines.js';
import { Initializer } from '../layers/initialization.js';
import { Llama, type LlamaConfig } from '../models/llama.js';
import { type LatestCheckpoint, latestCheckpoint } from '../training/checkpoints-read.js';
import { discardCheckpointsAfter } from '../training/checkpoints-retention.js';
import type { ScheduleOptions } from '../training/schedules.js';
import { Trainer } from '../training/trainer.js';
import { readState, restoreTrainer } from './checkpointing.js';
import { lockRun } from './lock.js';
import { configOf } from './model.js';
import { readConfig } from './open-run.js';
import { plan } from './plan.js';
import { makeTokenizer, openTexts, type Preparation, tokenize } from './prepare.js';
import { createRunFolder, readRecord, runFiles, writeRecord } from './run-folder.js';
import type { PartialSettings, Settings } from './settings.js';
import { type ActiveRun, environmentOf, type RunEvent, saveModel, trainLoop } from './train-run.js';

export interface StartOptions {
  /** The folder of the new run; by default the next free one in `runs/`. */
  readonly out?: string;
  readonly signal?: AbortSignal;
}

/**
 * Trains a new model from settings. What goes on is told as events; the run's folder holds everything that is made.
 * @throws SluiceError before anything is trained for settings, data or memory that cannot work.
 */
export async function* startRun(settings: Settings, { out, signal }: StartOptions = {}): AsyncGenerator<RunEvent> {
  const texts = await openTexts(settings);
  const device = await openFor(settings);
  try {
    const queue = new Progress();
    const tokenizer = yield* queue.during((tell) => makeTokenizer(texts, settings, tell, signal));
    const config = configOf(settings, tokenizer.vocabularySize);
    const estimate = await plan(device, config, settings);
    const folder = await createRunFolder(out, settings.data === 'demo' ? 'demo' : settings.model);
    await using _lock = await lockRun(folder);
    const sources = yield* queue.during((tell) => tokenize(folder, texts, tokenizer, tell, signal));
    const trainer = makeTrainer({ device, settings, config, source: sources.training });
    const decided = { ...settings, steps: await decideSteps(settings, trainer, sources.training) };
    const schedule = scheduleOf(decided);
    const run: ActiveRun = { folder, device, settings: decided, config, tokenizer, ...sources, trainer, schedule };
    await writeRecord(folder, {
      formatVersion: 1,
      settings: run.settings,
      feedForward: config.feedForward.toJSON(),
      versions: { sluice: '0.1.0', node: process.version },
    });
    await saveModel(run);
    yield { kind: 'started', run, plan: estimate };
    yield* trainLoop(run, signal);
  } finally {
    await device.close();
  }
}

export interface ResumeOptions {
  /** Settings that may change: steps, and where and how it runs. */
  readonly changes?: PartialSettings;
  readonly signal?: AbortSignal;
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
];

/**
 * Continues a run from its newest valid checkpoint.
 * @throws SluiceError `checkpoint` when there is none, `busy` when another process trains it.
 */
export async function* resumeRun(
  folder: string,
  { changes = {}, signal }: ResumeOptions = {},
): AsyncGenerator<RunEvent> {
  const record = await readRecord(folder);
  const fixed = Object.keys(changes).find((key) => !changeable.includes(key));
  if (fixed !== undefined) {
    throw new SluiceError('argument', {
      rule: 'a resumed run keeps its settings',
      received: fixed,
      remedy: `These may change: ${changeable.join(', ')}. Start a new run for others.`,
    });
  }
  await using _lock = await lockRun(folder);
  const latest = await latestCheckpoint(folder);
  const settings = { ...record.settings, ...changes } as Settings;
  const config = await readConfig(folder, record);
  const tokenizer = await loadTokenizer(folder);
  const device = await openFor(settings);
  try {
    for (const warning of warnings(latest, device)) yield { kind: 'warning', message: warning };
    const { checkpoint } = latest;
    if (checkpoint === undefined) {
      throw new SluiceError('checkpoint', {
        rule: 'a resumed run has a valid checkpoint',
        received: folder,
        remedy: 'Train anew.',
      });
    }
    const state = await readState(checkpoint);
    const [training, validation] = await Promise.all(
      [runFiles.training, runFiles.validation].map((file) => TokenFile.open(join(folder, file))),
    );
    if (training === undefined || validation === undefined)
      throw new SluiceError('internal', { rule: 'a run has two texts' });
    const schedule = scheduleOf({ ...settings, steps: changes.steps ?? state.steps });
    const trainer = makeTrainer({ device, settings, config, source: training, done: state.step });
    await restoreTrainer(trainer, checkpoint);
    await truncateMetrics(join(folder, runFiles.metrics), state.step);
    await discardCheckpointsAfter(folder, state.step);
    const run: ActiveRun = { folder, device, settings, config, tokenizer, training, validation, trainer, schedule };
    yield { kind: 'started', run, plan: await plan(device, config, settings) };
    yield* trainLoop(run, signal);
  } finally {
    await device.close();
  }
}

function* warnings({ checkpoint, refused }: LatestCheckpoint, device: Device): Generator<string> {
  for (const { folder, reason } of refused) yield `${folder} is not used: ${reason.message}`;
  const then = JSON.stringify(checkpoint?.environment ?? {});
  const now = JSON.stringify(environmentOf(device));
  if (checkpoint !== undefined && then !== now) {
    yield `the checkpoint was made under other conditions, so results may differ in the last bits: ${then}, now ${now}`;
  }
}

const openFor = ({ device, threads, deterministic }: Settings): Promise<Device> =>
  openDevice(device, { deterministic, ...(threads === undefined ? {} : { threads }) });

interface TrainerParts {
  readonly device: Device;
  readonly settings: Settings;
  readonly config: LlamaConfig;
  readonly source: TokenSource;
  readonly done?: number;
}

function makeTrainer({ device, settings, config, source, done = 0 }: TrainerParts): Trainer {
  const model = new Llama(new Initializer(device, settings.seed), config);
  const { weightDecay, clip, beta2 } = settings;
  return new Trainer(device, model, source, { ...settings, optimizer: { weightDecay, clip, beta2 } }, done);
}

/** A short run warms up for a tenth of it at most. */
const scheduleOf = (settings: Settings): ScheduleOptions => ({
  ...settings,
  warmup: Math.min(settings.warmup, Math.floor(settings.steps / 10)),
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

/** Turns progress callbacks into events while work goes on. */
class Progress {
  async *during<T>(work: (tell: (progress: Preparation) => void) => Promise<T>): AsyncGenerator<RunEvent, T> {
    let latest: Preparation | undefined;
    let wake = (): void => {};
    const done = work((progress) => {
      latest = progress;
      wake();
    });
    let isDone = false;
    const end = done.then(
      () => {
        isDone = true;
      },
      () => {
        isDone = true;
      },
    );
    while (!isDone) {
      await Promise.race([
        end,
        new Promise<void>((resolve) => {
          wake = resolve;
        }),
      ]);
      if (latest !== undefined) yield { kind: 'preparing', ...latest };
      latest = undefined;
    }
    return done;
  }
}
