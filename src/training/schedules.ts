import { SluiceError } from '../base/errors.js';
import { checkChoice, checkOptions, type OptionNames } from '../base/options.js';

export const scheduleNames = ['cosine', 'linear', 'constant', 'wsd'] as const;
export type ScheduleName = (typeof scheduleNames)[number];

export interface ScheduleOptions {
  readonly schedule: ScheduleName;
  /** The peak learning rate. */
  readonly lr: number;
  /** Where the decay ends. */
  readonly minLr: number;
  /** Steps over which the rate rises linearly to its peak. */
  readonly warmup: number;
  /** Steps in all. */
  readonly steps: number;
}

const scheduleOptions = {
  schedule: scheduleNames,
  lr: 0,
  minLr: 0,
  warmup: 0,
  steps: 0,
} satisfies OptionNames<ScheduleOptions>;

/** The share of the decay that is left, for progress from 0 to 1. */
const decays: Readonly<Record<ScheduleName, (progress: number) => number>> = {
  cosine: (progress) => 0.5 * (1 + Math.cos(Math.PI * progress)),
  linear: (progress) => 1 - progress,
  constant: () => 1,
  /** Warmup, stable, decay: the last fifth falls as 1 - sqrt. Source: Hagele 2024, arXiv:2405.18392. */
  wsd: (progress) => (progress < 0.8 ? 1 : 1 - Math.sqrt((progress - 0.8) / 0.2)),
};

/** What a schedule is where nothing is said of it: a tenth of the peak at the end, and a warm-up of a tenth of a short run. */
export const scheduleDefaults = (lr: number, steps: number): { readonly minLr: number; readonly warmup: number } => ({
  minLr: lr / 10,
  warmup: shortWarmup(100, steps),
});

/** A short run warms up for a tenth of it at most. */
export const shortWarmup = (warmup: number, steps: number): number => Math.min(warmup, Math.floor(steps / 10));

/**
 * The learning rate of a step counted from 0: lr (step + 1) / warmup while warming up, lr at the first step after,
 * and from there down to minLr, which a step beyond the last one would have.
 */
export function learningRate(step: number, options: ScheduleOptions): number {
  checkOptions('learningRate', options, scheduleOptions);
  const { schedule, lr, minLr, warmup, steps } = options;
  checkChoice('a schedule', schedule, scheduleNames);
  if (!(lr > 0)) {
    throw new SluiceError('argument', { rule: 'a learning rate is positive', received: lr, remedy: 'Try lr 1e-3.' });
  }
  for (const [name, value] of Object.entries({ warmup, steps })) {
    if (Number.isInteger(value) && value >= 0) continue;
    throw new SluiceError('argument', {
      rule: `${name} of a schedule is a whole number of steps`,
      received: value,
      remedy: `Round it: ${Math.max(0, Math.floor(value) || 0)}.`,
    });
  }
  if (step < warmup) return (lr * (step + 1)) / warmup;
  const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
  const left = decays[schedule](progress);
  return left * lr + (1 - left) * minLr;
}
