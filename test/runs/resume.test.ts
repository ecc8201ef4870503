import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomKey, randomUniform } from '../../src/base/random.js';
import { prose } from '../cli/runs.js';
import { linesIn, outcomeOf, succeed } from './outcomes.js';
import { buildIfMissing, isSaving, SluiceProcess } from './processes.js';

let folder: string;
beforeAll(() => {
  buildIfMissing();
  folder = mkdtempSync(join(tmpdir(), 'sluice-resume-'));
  writeFileSync(join(folder, 'text.txt'), prose());
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const steps = 40;
const flags = [
  ...['--data', 'text.txt', '--tokenizer', 'byte', '--dim', '16', '--layers', '2', '--heads', '2', '--kv-heads', '1'],
  ...[
    '--hidden',
    '24',
    '--context',
    '24',
    '--batch',
    '4',
    '--accumulate',
    '4',
    '--dropout',
    '0.1',
    '--steps',
    `${steps}`,
  ],
  ...[
    '--save-every',
    '3',
    '--eval-every',
    '7',
    '--eval-tokens',
    '64',
    '--sample-every',
    '20',
    '--device',
    'wasm',
    '--threads',
    '2',
  ],
];
const start = (name: string, ...more: string[]): SluiceProcess =>
  new SluiceProcess(['train', ...flags, '--out', name, ...more], folder);
const resume = (name: string, ...more: string[]): SluiceProcess =>
  new SluiceProcess(['train', '--resume', name, ...more], folder);

const outcome = (name: string): unknown => outcomeOf(join(folder, name));
const stepsIn = (name: string): number => linesIn(join(folder, name));
const checkpointsOf = (name: string): string[] => readdirSync(join(folder, name, 'checkpoints')).sort();

let unbroken: unknown;
beforeAll(async () => {
  await succeed(start('unbroken'));
  unbroken = outcome('unbroken');
});

test('an unbroken run keeps its newest checkpoints and has a line for each step', () => {
  expect(checkpointsOf('unbroken')).toEqual(['step-00000036', 'step-00000039', 'step-00000040']);
  expect((unbroken as { losses: unknown[] }).losses).toHaveLength(steps);
});

describe('a run that is killed and resumed ends as an unbroken one, bit for bit', () => {
  const key = randomKey(Date.now(), 'noise');

  test('at random times, in the middle of steps', async () => {
    const moments = Array.from({ length: 2 }, (_, i) => Math.floor(randomUniform(key, i) * 300));
    let run = start('random');
    for (const [i, moment] of moments.entries()) {
      await run.until(() => stepsIn('random') > 0);
      await delay(moment);
      const { code, signal, error } = await run.kill('SIGKILL');
      expect(code === 0 || signal === 'SIGKILL', error).toBe(true);
      run = resume('random');
      if (i === 0) await run.until(() => existsSync(join(folder, 'random', 'checkpoints')));
    }
    await succeed(run);
    expect(outcome('random'), `killed after ${moments.join(', ')} ms`).toEqual(unbroken);
  });

  test('while a checkpoint is written', async () => {
    let run = start('saving');
    let kills = 0;
    for (let i = 0; i < 2; i++) {
      const wanted = stepsIn('saving') + 4;
      await run.until(() => stepsIn('saving') > wanted && isSaving(join(folder, 'saving')));
      if (run.isOver) break;
      await run.kill('SIGKILL');
      kills++;
      run = resume('saving');
    }
    await succeed(run);
    expect(kills).toBeGreaterThan(0);
    expect(outcome('saving')).toEqual(unbroken);
    expect(checkpointsOf('saving').every((name) => name.startsWith('step-'))).toBe(true);
  });

  test('before its first checkpoint', async () => {
    const run = start('early', '--save-every', '1000');
    await run.until(() => stepsIn('early') > 2);
    await run.kill('SIGKILL');
    expect(existsSync(join(folder, 'early', 'checkpoints'))).toBe(false);
    await succeed(resume('early'));
    expect(outcome('early')).toEqual(unbroken);
  });
});

describe('a signal', () => {
  test('SIGINT leaves a checkpoint, prints the line that goes on, and exits with 130', async () => {
    const run = start('interrupted');
    await run.until(() => stepsIn('interrupted') > 2);
    const { code, out, error } = await run.kill('SIGINT');
    expect([code, out]).toEqual([130, '']);
    const [, line = ''] = /^ {2}npx sluice (train --resume .*)$/m.exec(error) ?? [];
    expect(line).toBe('train --resume interrupted');
    expect(error).toMatch(/Stopped after step \d+; it is saved/);
    const [, done] = /Stopped after step (\d+)/.exec(error) ?? [];
    expect(checkpointsOf('interrupted').at(-1)).toBe(`step-${done?.padStart(8, '0')}`);
    await succeed(new SluiceProcess(line.split(' '), folder));
    expect(outcome('interrupted')).toEqual(unbroken);
  });

  test('SIGTERM does the same and exits with 143', async () => {
    const run = start('terminated', '--json');
    await run.until(() => stepsIn('terminated') > 2);
    const { code, out, error } = await run.kill('SIGTERM');
    expect(code).toBe(143);
    expect(error).toContain('--resume terminated');
    expect((JSON.parse(out) as { step: number }).step).toBe(Number(/after step (\d+)/.exec(error)?.[1]));
  });

  test('a second SIGINT ends at once', async () => {
    // The evaluation after the first step takes long on this device.
    const slow = [
      '--device',
      'reference',
      '--eval-every',
      '1',
      '--eval-tokens',
      '1000000',
      '--validation',
      '0.5',
      '--sample-every',
      '0',
    ];
    const run = start('twice', ...slow);
    await run.until(() => stepsIn('twice') > 0);
    run.child.kill('SIGINT');
    await delay(50);
    const { code, error } = await run.kill('SIGINT');
    expect(code).toBe(130);
    expect(error).not.toContain('Stopped after');
    expect(existsSync(join(folder, 'twice', 'checkpoints'))).toBe(false);
  });
});

test('a folder in use is refused, and free again afterwards', async () => {
  const holder = start('busy', '--steps', '100000');
  await holder.until(() => stepsIn('busy') > 1);
  const { code, error } = await resume('busy').ended;
  expect(code).toBe(1);
  expect(error).toMatch(new RegExp(`^error: .*one process at a time, received "process ${holder.child.pid}`));
  await holder.kill('SIGKILL');
  const again = resume('busy', '--steps', '100000');
  await again.until(() => again.error.includes('step '));
  expect((await again.kill('SIGINT')).code).toBe(130);
});
