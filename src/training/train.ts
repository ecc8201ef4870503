import { SluiceError } from '../base/errors.js';
import { EventLoop } from '../base/event-loop.js';
import { MemoryTokens, type TokenArray, type TokenSource } from '../data/token-source.js';
import type { Device } from '../devices/device.js';
import type { CausalModel } from '../models/causal-model.js';
import { learningRate, type ScheduleOptions } from './schedules.js';
import { type StepRecord, Trainer, type TrainerOptions } from './trainer.js';

export interface TrainOptions extends Partial<TrainerOptions>, Partial<ScheduleOptions> {
  /** Optimizer steps. */
  readonly steps: number;
  /** Ends the training between two steps, without an error: the model keeps what it has learned. */
  readonly signal?: AbortSignal;
}

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
  const { steps, lr = 1e-3, signal } = options;
  if (!(Number.isInteger(steps) && steps > 0)) {
    throw new SluiceError('argument', { rule: 'steps of training is a whole number above 0', received: steps });
  }
  const tokens = 'read' in source ? source : new MemoryTokens(source);
  const defaults = { batch: 16, context: Math.min(128, model.maxPositions), accumulate: 1, seed: 0 };
  const trainer = new Trainer(device, model, tokens, { ...defaults, ...options });
  const schedule = { schedule: 'cosine', lr, minLr: lr / 10, warmup: Math.min(100, steps / 10), ...options } as const;
  const eventLoop = new EventLoop();
  try {
    while (trainer.done < steps && signal?.aborted !== true) {
      yield await trainer.step(learningRate(trainer.done, schedule));
      await eventLoop.look();
    }
  } finally {
    trainer.optimizer.dispose();
  }
}
