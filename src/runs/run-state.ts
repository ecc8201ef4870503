import * as v from 'valibot';
import { SluiceError } from '../base/errors.js';
import type { Checkpoint } from '../training/checkpoints-read.js';
import { issueRule } from './settings.js';

/** The part of a checkpoint that holds it. */
export const stateName = 'state.json';

/** The state of a run beside its tensors. All randomness follows from the seed and the step. */
export interface RunState {
  readonly step: number;
  /** Optimizer steps in all: fixed once, so that a resumed schedule is the same. */
  readonly steps: number;
}

const stateSchema = v.object({
  step: v.pipe(v.number(), v.safeInteger(), v.minValue(0)),
  steps: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
});

/** @throws SluiceError `checkpoint` that names the file, for a state that a newer or another program wrote. */
export async function readState(checkpoint: Checkpoint): Promise<RunState> {
  const result = v.safeParse(stateSchema, await checkpoint.readJson(stateName));
  if (result.success) return result.output;
  const [issue] = result.issues;
  throw new SluiceError('checkpoint', {
    rule: `in ${checkpoint.path(stateName)} ${issueRule(issue)}`,
    received: issue.input,
    remedy: 'Resume with the Sluice that wrote it, or train anew.',
  });
}
