import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sluice } from '../support/terminal.js';
import { readJson, readMetrics, temporaryFolder } from './runs.js';

const folder = temporaryFolder();
let made = 0;
const out = (): string => join(folder, `run-${made++}`);
const train = (...args: readonly string[]) => sluice(['train', '--threads', '1', ...args]);
const rings = ['--task', 'rings', '--examples', '200', '--seed', '3'];
const settingsOf = (run: string) => (readJson(run, 'run.json') as { settings: Record<string, unknown> }).settings;

describe('--optimizer', () => {
  test.each<[string, Record<string, unknown>, readonly string[]]>([
    ['sgd', { optimizer: 'sgd', momentum: 0, nesterov: false, lr: 1, clip: 1, weightDecay: 0 }, []],
    ['momentum', { optimizer: 'sgd', momentum: 0.9, dampening: 0, nesterov: false, lr: 0.1 }, []],
    ['nesterov', { optimizer: 'sgd', momentum: 0.8, nesterov: true }, ['--momentum', '0.8']],
    ['adagrad', { optimizer: 'adagrad', epsilon: 1e-10, lr: 0.05, minLr: 0.005 }, ['--lr', '0.05']],
    ['rmsprop', { optimizer: 'rmsprop', alpha: 0.9, centered: true, momentum: 0 }, ['--alpha', '0.9', '--centered']],
    ['adam', { optimizer: 'adam', beta1: 0.8, beta2: 0.999, amsgrad: true }, ['--beta1', '0.8', '--amsgrad']],
    ['adamw', { optimizer: 'adamw', beta1: 0.9, beta2: 0.999, weightDecay: 0 }, []],
    ['lion', { optimizer: 'lion', beta2: 0.99, lr: 0.003, weightDecay: 0.5 }, ['--weight-decay', '0.5']],
  ])('%s learns, and run.json has %o', async (name, recorded, flags) => {
    const run = out();
    const { code, error } = await train(...rings, '--optimizer', name, ...flags, '--steps', '60', '--out', run);
    expect(code).toBe(0);
    const title = { sgd: 'SGD', momentum: 'SGD', nesterov: 'SGD', rmsprop: 'RMSProp', adamw: 'AdamW' }[name] ?? name;
    expect(error.toLowerCase()).toContain(`cross-entropy, ${title.toLowerCase()}`);
    const settings = settingsOf(run);
    expect(settings).toMatchObject(recorded);
    // What this optimizer has no use for is not in the record.
    expect(Object.keys(settings).filter((key) => key === 'beta1')).toHaveLength(
      'beta1' in recorded || name === 'lion' ? 1 : 0,
    );
    const losses = readMetrics(run).flatMap(({ loss }) => (typeof loss === 'number' ? [loss] : []));
    expect(losses.at(-1)).toBeLessThan(losses[0] ?? 0);
  });

  test.each<[readonly string[], RegExp]>([
    [['--optimizer', 'adma'], /optimizer is one of sgd, .*received "adma"\. Did you mean "adam"\?/],
    [
      ['--optimizer', 'sgd', '--beta1', '0.9'],
      /sgd is set by weightDecay, momentum, dampening, nesterov, clip, received "beta1 0\.9"\. Leave it out, or use --optimizer adam or adamw or lion\./,
    ],
    [['--momentum', '0.9'], /adamw is set by .*received "momentum 0\.9".*--optimizer sgd or rmsprop/],
    [['--optimizer', 'lion', '--epsilon', '1'], /lion is set by weightDecay, beta1, beta2, clip/],
    [['--optimizer', 'sgd', '--nesterov'], /nesterov goes with a momentum and without dampening, received "momentum 0/],
    [['--optimizer', 'nesterov', '--dampening', '0.1'], /nesterov goes with a momentum and without dampening/],
    [['--model', 'perceptron', '--optimizer', 'sgd'], /perceptron for rings takes no optimizer/],
  ])('%j is one clear error before anything is made', async (flags, message) => {
    const run = out();
    const { code, error } = await train(...rings, ...flags, '--out', run);
    expect([code, error]).toEqual([2, expect.stringMatching(message)]);
    expect(error.trimEnd().split('\n')).toHaveLength(1);
    expect(existsSync(run)).toBe(false);
  });
});

describe('a resumed run', () => {
  test('keeps its optimizer: another is refused on the command line, and by the checkpoint', async () => {
    const run = out();
    await train(...rings, '--optimizer', 'nesterov', '--steps', '3', '--out', run);
    const asked = await train('--resume', run, '--optimizer', 'sgd');
    expect([asked.code, asked.error]).toEqual([
      2,
      expect.stringMatching(/a resumed run keeps its settings, received "optimizer"/),
    ]);
    expect((await train('--resume', run, '--steps', '5')).code).toBe(0);
    const record = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as { settings: Record<string, unknown> };
    writeFileSync(
      join(run, 'run.json'),
      JSON.stringify({ ...record, settings: { ...record.settings, optimizer: 'adam' } }),
    );
    const { code, error } = await train('--resume', run, '--steps', '8');
    expect([code, error]).toEqual([
      1,
      expect.stringMatching(
        /a checkpoint has the state of the run's optimizer Adam: step, exp_avg\.layers\.0\.weight.*received \["momentum_buffer/,
      ),
    ]);
  });
});
