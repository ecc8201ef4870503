import { cpus } from 'node:os';
import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { saveTokenizer } from '../data/load-tokenizer.js';
import type { TokenSource } from '../data/token-source.js';
import { type Tokenizer, tokenByteLengths } from '../data/tokenizer.js';
import type { Device } from '../devices/device.js';
import { writeFileAtomically } from '../formats/durable.js';
import { encodeConfig, encodeGenerationConfig } from '../formats/hugging-face.js';
import { JsonLinesWriter } from '../formats/json-lines.js';
import { writeSafetensors } from '../formats/safetensors-write.js';
import { weightEntries } from '../formats/weights.js';
import type { LlamaConfig } from '../models/llama.js';
import { saveCheckpoint } from '../training/checkpoints.js';
import { type Evaluation, evaluate } from '../training/evaluate.js';
import { learningRate, type ScheduleOptions } from '../training/schedules.js';
import type { StepRecord, Trainer } from '../training/trainer.js';
import { type Baselines, measureBaselines } from './baselines.js';
import { checkpointParts } from './checkpointing.js';
import { generate } from './generate.js';
import type { Plan } from './plan.js';
import type { Preparation } from './prepare.js';
import type { Profile } from './profile.js';
import type { ProfileReport } from './profile-report.js';
import { runFiles } from './run-folder.js';
import type { RunState } from './run-state.js';
import type { Settings } from './settings.js';

/** How fast a run goes, once that is known. */
export interface Progress {
  /** At the recent pace; of the first step, which compiles too, there is none. */
  readonly tokensPerSecond?: number;
  /** From the second step on that is measured. */
  readonly secondsLeft?: number;
}

/** What a run tells while it goes. */
export type RunEvent =
  | ({ readonly kind: 'preparing' } & Preparation)
  | { readonly kind: 'started'; readonly run: ActiveRun; readonly plan: Plan }
  | { readonly kind: 'note'; readonly message: string }
  | { readonly kind: 'warning'; readonly message: string }
  | ({ readonly kind: 'step'; readonly record: StepRecord; readonly steps: number } & Progress)
  | { readonly kind: 'evaluated'; readonly step: number; readonly evaluation: Evaluation }
  | { readonly kind: 'sampled'; readonly step: number; readonly text: string }
  /** Where the time of the steps so far goes; the trace is a file for chrome://tracing. */
  | { readonly kind: 'profiled'; readonly report: ProfileReport; readonly trace: string }
  | { readonly kind: 'saved'; readonly step: number; readonly folder: string }
  | {
      readonly kind: 'finished';
      readonly step: number;
      readonly evaluation: Evaluation;
      readonly baselines?: Baselines;
    }
  | { readonly kind: 'interrupted'; readonly step: number };

/** Everything that the loop works on. */
export interface ActiveRun {
  readonly folder: string;
  readonly device: Device;
  readonly settings: Settings;
  readonly config: LlamaConfig;
  readonly tokenizer: Tokenizer;
  readonly training: TokenSource;
  readonly validation: TokenSource;
  readonly trainer: Trainer;
  readonly schedule: ScheduleOptions;
  readonly profile?: Profile | undefined;
}

/** Writes what makes the folder a model that Hugging Face's libraries load. */
export async function saveModel({ folder, config, tokenizer, trainer }: ActiveRun): Promise<void> {
  const files = {
    [runFiles.config]: encodeConfig(config, tokenizer.endOfText),
    [runFiles.generation]: encodeGenerationConfig(tokenizer.endOfText),
  };
  for (const [name, content] of Object.entries(files)) {
    await writeFileAtomically(join(folder, name), `${JSON.stringify(content, null, 2)}\n`);
  }
  await saveTokenizer(folder, tokenizer);
  await writeFileAtomically(join(folder, runFiles.weights), (sink) =>
    writeSafetensors(sink, weightEntries(trainer.model)),
  );
}

/** Writes down what a run comes to. */
class Journal {
  readonly #run: ActiveRun;
  readonly #metrics: JsonLinesWriter;
  readonly #byteLengths: Int32Array;
  #saved: number;

  constructor(run: ActiveRun, metrics: JsonLinesWriter) {
    this.#run = run;
    this.#metrics = metrics;
    this.#byteLengths = tokenByteLengths(run.tokenizer);
    this.#saved = run.trainer.done;
  }

  /** Whether the last step is in a checkpoint. */
  get isSaved(): boolean {
    return this.#saved === this.#run.trainer.done;
  }

  async measure(limit: { maximumTokens?: number; signal?: AbortSignal }): Promise<Evaluation> {
    const { device, trainer, validation, settings } = this.#run;
    const options = { batch: settings.batch, context: settings.context, ...limit };
    const result = await evaluate(device, trainer.model, validation, this.#byteLengths, options);
    const { loss: validationLoss, bitsPerByte } = result;
    await this.#metrics.append({ step: trainer.done, validationLoss, bitsPerByte });
    return result;
  }

  /** Tells what it saved, and what could not be tidied up. */
  async *save(): AsyncGenerator<RunEvent> {
    const { folder, trainer, schedule, settings, device } = this.#run;
    const state: RunState = { step: trainer.done, steps: schedule.steps };
    // A checkpoint that survives a loss of power must find the lines of its steps.
    await this.#metrics.sync();
    const { folder: path, warnings } = await saveCheckpoint(folder, trainer.done, checkpointParts(trainer, state), {
      keep: settings.keep,
      environment: environmentOf(device),
    });
    this.#saved = trainer.done;
    yield { kind: 'saved', step: trainer.done, folder: path };
    for (const { message } of warnings) yield { kind: 'warning', message };
  }
}

/**
 * Trains until all steps are done or the signal is aborted; either way the last step is saved. Metrics, checkpoints and
 * the model are in the run's folder.
 */
export async function* trainLoop(run: ActiveRun, signal?: AbortSignal): AsyncGenerator<RunEvent> {
  const { settings, trainer, folder, schedule, profile } = run;
  const { steps } = schedule;
  const metrics = await JsonLinesWriter.open(join(folder, runFiles.metrics));
  const journal = new Journal(run, metrics);
  const pace = new Pace();
  const isDue = (every: number): boolean => every > 0 && trainer.done < steps && trainer.done % every === 0;
  try {
    while (trainer.done < steps && signal?.aborted !== true) {
      const step = (): Promise<StepRecord> => trainer.step(learningRate(trainer.done, schedule));
      const record = await (profile === undefined ? step() : profile.measure(steps - trainer.done, step));
      await metrics.append({ ...record });
      yield { kind: 'step', record, steps, ...pace.after(record, steps) };
      if (profile?.isDone === true) yield { kind: 'profiled', ...(await profile.take(folder)) };
      if (isDue(settings.evalEvery)) {
        const evaluation = await journal.measure({ maximumTokens: settings.evalTokens });
        yield { kind: 'evaluated', step: trainer.done, evaluation };
      }
      if (isDue(settings.sampleEvery)) yield { kind: 'sampled', step: trainer.done, text: await sampleText(run) };
      if (isDue(settings.saveEvery)) yield* journal.save();
    }
    if (!journal.isSaved) yield* journal.save();
    await saveModel(run);
    signal?.throwIfAborted();
    const evaluation = await journal.measure(signal === undefined ? {} : { signal });
    const { tokenizer, training, validation } = run;
    const compared =
      settings.data === 'demo' ? { baselines: await measureBaselines(tokenizer, training, validation) } : {};
    yield { kind: 'finished', step: trainer.done, evaluation, ...compared };
  } catch (error) {
    if (signal?.aborted === true && error === signal.reason && journal.isSaved) {
      yield { kind: 'interrupted', step: trainer.done };
      return;
    }
    if (error instanceof SluiceError && error.code === 'diverged' && !journal.isSaved) yield* lastSave(journal);
    throw error;
  } finally {
    await metrics.close();
  }
}

/** What cannot be saved at the end must not hide why it ended. */
async function* lastSave(journal: Journal): AsyncGenerator<RunEvent> {
  try {
    yield* journal.save();
  } catch (error) {
    yield {
      kind: 'warning',
      message: `no checkpoint could be saved: ${error instanceof Error ? error.message : error}`,
    };
  }
}

/** What must agree for a resumed run to give the same bits. */
export const environmentOf = (device: Device): Record<string, string | number> => ({
  device: device.name,
  description: device.description,
  threads: device.threads,
  engine: `node ${process.version}`,
  machine: `${process.arch} ${cpus()[0]?.model ?? ''}`.trim(),
});

/** A sample from the start of a document, or of the text. */
async function sampleText({ device, trainer, tokenizer, settings, training }: ActiveRun): Promise<string> {
  const start = tokenizer.endOfText === undefined ? tokenizer.decode(await training.read(0, 1)) : '';
  let text = '';
  const length = Math.min(60, settings.context);
  for await (const piece of generate(device, trainer.model, tokenizer, {
    prompt: start,
    maxTokens: length,
    seed: settings.seed + trainer.done,
  })) {
    text += piece.text;
  }
  return text;
}

/** The recent pace: a mean of the steps in which later ones count more. The first step, which compiles, is left out. */
export class Pace {
  #measured = -1;
  #seconds = 0;

  after({ step, seconds, tokensPerSecond }: StepRecord, steps: number): Progress {
    this.#measured++;
    if (this.#measured === 0) return {};
    this.#seconds += (seconds - this.#seconds) * Math.max(0.05, 1 / this.#measured);
    const pace = { tokensPerSecond: (tokensPerSecond * seconds) / this.#seconds };
    return this.#measured < 2 ? pace : { ...pace, secondsLeft: (steps - step) * this.#seconds };
  }
}
