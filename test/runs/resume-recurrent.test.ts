import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { randomKey, randomUniform } from '../../src/base/random.js';
import { prose } from '../cli/runs.js';
import { linesIn, outcomeOf, succeed } from './outcomes.js';
import { buildIfMissing, SluiceProcess } from './processes.js';

let folder: string;
beforeAll(() => {
  buildIfMissing();
  folder = mkdtempSync(join(tmpdir(), 'sluice-resume-recurrent-'));
  writeFileSync(join(folder, 'text.txt'), prose());
  const rows = Array.from({ length: 80 }, (_, i) => `${Math.sin(i / 3) + i / 40}`);
  writeFileSync(join(folder, 'series.csv'), ['sold', ...rows].join('\n'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const common = '--batch 4 --hidden 12 --steps 60 --eval-every 9 --threads 2 --device wasm'.split(' ');
const key = randomKey(Date.now(), 'noise');

const kinds: readonly (readonly [name: string, learns: string, flags: string])[] = [
  [
    'text',
    'a text, its state carried on',
    '--data text.txt --model lstm --tokenizer byte --dim 12 --layers 2 --context 12 --dropout 0.1 --sample-every 0',
  ],
  ['drawn', 'drawn sequences', '--task adding --model gru --length 30 --layers 2 --dropout 0.1 --examples 40'],
  ['series', 'a series', '--task forecast --data series.csv --model lstm --bidirectional'],
];

describe.each(kinds)('a recurrent network that is killed and resumed (%s: %s)', (name, _, flags) => {
  const start = (out: string, ...more: string[]): SluiceProcess =>
    new SluiceProcess(['train', ...flags.split(' '), ...common, ...more, '--out', out], folder);
  const resume = (out: string): SluiceProcess => new SluiceProcess(['train', '--resume', out], folder);
  let unbroken: unknown;
  beforeAll(async () => {
    await succeed(start(name));
    unbroken = outcomeOf(join(folder, name));
  });

  test.each([
    ['in the middle of a step', ['--save-every', '4'], 6],
    // What it began with follows from its settings alone.
    ['before its first checkpoint', ['--save-every', '1000'], 2],
  ] as const)('%s ends as an unbroken one, bit for bit', async (when, more, steps) => {
    const out = `${name}-${when.split(' ').at(-1)}`;
    const run = start(out, ...more);
    await run.until(() => linesIn(join(folder, out)) > steps);
    await delay(Math.floor(randomUniform(key, 0) * 40));
    const { signal } = await run.kill('SIGKILL');
    expect(signal).toBe('SIGKILL');
    await succeed(resume(out));
    expect(outcomeOf(join(folder, out))).toEqual(unbroken);
  });
});
