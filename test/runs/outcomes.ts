import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { readMetrics } from '../cli/runs.js';
import type { Ended, SluiceProcess } from './processes.js';

/** What must not depend on how often a run was ended: the losses, and the weights' bytes, by their hash. */
export const outcomeOf = (run: string): unknown => ({
  losses: readMetrics(run)
    .filter(({ loss }) => loss !== undefined)
    .map(({ step, loss }) => [step, loss]),
  evaluations: readMetrics(run)
    .filter(({ validationLoss }) => validationLoss !== undefined)
    .map(({ step, validationLoss }) => [step, validationLoss]),
  weights: createHash('sha256')
    .update(readFileSync(join(run, 'model.safetensors')))
    .digest('hex'),
});

/** How many lines a run has written so far. */
export function linesIn(run: string): number {
  const path = join(run, 'metrics.jsonl');
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0;
}

/** Waits for a process that must end well. */
export async function succeed(run: SluiceProcess): Promise<Ended> {
  const ended = await run.ended;
  expect({ code: ended.code, error: ended.code === 0 ? '' : ended.error }).toEqual({ code: 0, error: '' });
  return ended;
}
