import { join } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { saveTokenizer } from '../data/load-tokenizer.js';
import type { TokenSource } from '../data/token-source.js';
import { type Tokenizer, tokenByteLengths } from '../data/tokenizer.js';
import type { Device } from '../devices/device.js';
import { writeFileAtomically } from '../formats/durable.js';
import { encodeConfig } from '../formats/hugging-face.js';
import { JsonLinesWriter } from '../formats/json-lines.js';
import { writeSafetensors } from '../formats/safetensors-write.js';
import type { LlamaConfig } from '../models/llama.js';
import { saveCheckpoint } from '../training/checkpoints.js';
import { type Evaluation, evaluate } from '../training/evaluate.js';
import { learningRate, type ScheduleOptions } from '../training/schedules.js';
import type { StepRecord, Trainer } from '../training/trainer.js';
import { type Baselines, measureBaselines } from './baselines.js';
import { checkpointParts, type RunState, weightEntries } from './checkpointing.js';
import { generate } from './generate.js';
import type { Plan } from './plan.js';
import type { Preparation } from './prepare.js';
import { runFiles } from './run-folder.js';
import type { Settings } from './settings.js';

/** What a run tells while it goes. */
export type RunEvent =
  | ({ readonly kind: 'preparing' } & Preparation)
  | { readonly kind: 'started'; readonly run: ActiveRun; readonly plan: Plan }
  | { readonly kind: 'warning'; readonly message: string }
  | { readonly kind: 'step'; readonly record: StepRecord; readonly steps: number; readonly secondsLeft: number }
  | { readonly kind: 'evaluated'; readonly step: number; readonly evaluation: Evaluation }
  | { readonly kind: 'sampled'; readonly step: number; readonly text: string }
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
}

/** Writes what makes the folder a model that Hugging Face's libraries load. */
export async function saveModel({ folder, config, tokenizer, trainer }: ActiveRun): Promise<void> {
  await writeFileAtomically(join(folder, runFiles.config), `${JSON.stringify(encodeConfig(config), null, 2)}\n`);
  await saveTokenizer(folder, tokenizer);
  await writeFileAtomically(join(folder, runFiles.weights), (sink) =>
    writeSafetensors(sink, weightEntries(trainer.model)),
  );
}

/**
 * Trains until all steps are done or the signal is aborted; either way the last step is saved. Metrics, checkpoints and
 * the model are in the run's folder.
 */
export async function* trainLoop(run: ActiveRun, signal?: AbortSignal): AsyncGenerator<RunEvent> {
  const { settings, trainer, folder, schedule } = run;
  const { steps } = schedule;
  const byteLengths = tokenByteLengths(run.tokenizer);
  const metrics = await JsonLinesWriter.open(join(folder, runFiles.metrics));
  const pace = new Pace();
  let bestValidationLoss = Number.POSITIVE_INFINITY;
  let evaluation: Evaluation | undefined;
  let saved = trainer.done;
  const measure = async (maximumTokens?: number): Promise<Evaluation> => {
    const shape = { batch: settings.batch, context: settings.context };
    const limit = maximumTokens === undefined ? {} : { maximumTokens };
    const result = await evaluate(run.device, trainer.model, run.validation, byteLengths, { ...shape, ...limit });
    bestValidationLoss = Math.min(bestValidationLoss, result.loss);
    const { loss: validationLoss, bitsPerByte } = result;
    await metrics.append({ step: trainer.done, validationLoss, bitsPerByte });
    return result;
  };
  const save = async (): Promise<RunEvent> => {
    const state: RunState = { step: trainer.done, steps, bestValidationLoss };
    const { folder: path } = await saveCheckpoint(folder, trainer.done, checkpointParts(trainer, state), {
      keep: settings.keep,
      environment: environmentOf(run.device),
    });
    saved = trainer.done;
    return { kind: 'saved', step: trainer.done, folder: path };
  };
  try {
    while (trainer.done < steps && signal?.aborted !== true) {
      const record = await trainer.step(learningRate(trainer.done, schedule));
      await metrics.append({ ...record });
      yield { kind: 'step', record, steps, secondsLeft: pace.left(record, steps) };
      const isLast = trainer.done === steps;
      if (!isLast && trainer.done % settings.evalEvery === 0) {
        yield { kind: 'evaluated', step: trainer.done, evaluation: await measure(settings.evalTokens) };
      }
      if (!isLast && settings.sampleEvery > 0 && trainer.done % settings.sampleEvery === 0) {
        yield { kind: 'sampled', step: trainer.done, text: await sampleText(run) };
      }
      if (isLast || trainer.done % settings.saveEvery === 0) yield await save();
    }
    if (saved !== trainer.done) yield await save();
    await saveModel(run);
    if (trainer.done < steps) {
      yield { kind: 'interrupted', step: trainer.done };
      return;
    }
    evaluation = await measure();
    const compared = settings.data === 'demo' ? { baselines: await measureBaselines(run) } : {};
    yield { kind: 'finished', step: trainer.done, evaluation, ...compared };
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'diverged' && saved !== trainer.done) yield await save();
    throw error;
  } finally {
    await metrics.close();
  }
}

/** What must agree for a resumed run to give the same bits. */
export const environmentOf = (device: Device): Record<string, string | number> => ({
  device: device.name,
  description: device.description,
  threads: device.threads,
  engine: typeof process === 'undefined' ? 'browser' : `node ${process.version}`,
});

async function sampleText({ device, trainer, tokenizer, settings }: ActiveRun): Promise<string> {
  const options = { temperature: 0.8, topK: 0, topP: 0.95, minP: 0, repetitionPenalty: 1, stop: [] };
  const start = tokenizer.endOfText === undefined ? '\n' : '';
  let text = '';
  const length = Math.min(60, settings.context - 2);
  for await (const piece of generate(device, trainer.model, tokenizer, {
    ...options,
    prompt: start,
    maxTokens: length,
    seed: settings.seed + trainer.done,
  })) {
    text += piece.text;
  }
  return text;
}

/** The time left at the recent pace. */
class Pace {
  #seconds = 0;

  left({ step, seconds }: StepRecord, steps: number): number {
    this.#seconds = this.#seconds === 0 ? seconds : 0.95 * this.#seconds + 0.05 * seconds;
    return (steps - step) * this.#seconds;
  }
}
