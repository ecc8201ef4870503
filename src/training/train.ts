import { SluiceError } from '../base/errors.js';
import { EventLoop } from '../base/event-loop.js';
import { completeOptions, type OptionTable } from '../base/options.js';
import { MemoryTokens, type TokenArray, type TokenSource } from '../data/token-source.js';
import type { Device } from '../devices/device.js';
import type { CausalModel } from '../models/causal-model.js';
import { learningRate, type ScheduleOptions, scheduleDefaults } from './schedules.js';
import { type StepRecord, Trainer, type TrainerOptions } from './trainer.js';

export interface TrainOptions extends Partial<TrainerOptions>, Partial<ScheduleOptions> {
  /** Optimizer steps. */
  readonly steps: number;
  /** Ends the training between two steps, without an error: the model keeps what it has learned. */
  readonly signal?: AbortSignal;
}

const trainDefaults = {
  steps: undefined,
  batch: 16,
  context: undefined,
  accumulate: 1,
  seed: 0,
  optimizer: undefined,
  schedule: 'cosine',
  lr: 1e-3,
  minLr: undefined,
  warmup: undefined,
  signal: undefined,
} satisfies OptionTable<TrainOptions>;

/**
 * Trains a model in place to predict the next token of `source`: tokens in memory, or a source such as a `TokenFile`.
 * @example for await (const { step, loss } of train(device, model, tokens, { steps: 1000 })) console.log(step, loss);
 * @throws SluiceError `diverged` when loss or gradient stay non-finite; the weights are as before.
 */
export async function* train(
  device: Device,
  model: CausalModel,
  source: TokenSource | TokenArray | readonly number[],
  options: TrainOptions,
): AsyncGenerator<StepRecord> {
  const { steps, batch, accumulate, seed, optimizer, schedule, lr, signal, ...rest } = completeOptions(
    'train',
    options,
    trainDefaults,
  );
  if (!(Number.isInteger(steps) && steps > 0)) {
    throw new SluiceError('argument', {
      rule: 'steps of training is a whole number above 0',
      received: steps,
      remedy: 'Try 1000.',
    });
  }
  const tokens = 'read' in source ? source : new MemoryTokens(source);
  const { context = Math.min(128, model.maxPositions) } = rest;
  const usual = scheduleDefaults(lr, steps);
  const { minLr = usual.minLr, warmup = usual.warmup } = rest;
  const trainer = new Trainer(device, model, tokens, { batch, context, accumulate, seed, optimizer });
  const eventLoop = new EventLoop();
  try {
    while (trainer.done < steps && signal?.aborted !== true) {
      yield await trainer.step(learningRate(trainer.done, { schedule, lr, minLr, warmup, steps }));
      await eventLoop.look();
    }
  } finally {
    trainer.optimizer.dispose();
  }
}
