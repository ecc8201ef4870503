import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { readState, stateName } from '../../src/runs/run-state.js';
import { jsonPart, saveCheckpoint } from '../../src/training/checkpoints.js';
import { openCheckpoint } from '../../src/training/checkpoints-read.js';
import { errorOf } from '../formats/make-safetensors.js';

const run = mkdtempSync(join(tmpdir(), 'sluice-state-'));
afterAll(() => rmSync(run, { recursive: true, force: true }));

const saved = async (state: unknown) => {
  const { folder } = await saveCheckpoint(run, 3, [jsonPart(stateName, state)], { keep: 1 });
  return openCheckpoint(folder);
};

test('the state of a run reads back, without what an older version kept', async () => {
  expect(await readState(await saved({ step: 3, steps: 9, bestValidationLoss: 2 }))).toEqual({ step: 3, steps: 9 });
});

test.each<[unknown, RegExp]>([
  [{ step: '3', steps: 9 }, /step is a number, received "3"/],
  [{ step: 3 }, /steps is given, received undefined/],
  ['done', /it is an object, received "done"/],
])('a state of %j is refused by an error that names the file', async (state, message) => {
  const checkpoint = await saved(state);
  const error = await errorOf(() => readState(checkpoint));
  expect(error.code).toBe('checkpoint');
  expect(error.message).toContain(checkpoint.path(stateName));
  expect(error.message).toMatch(message);
});
