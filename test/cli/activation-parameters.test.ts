import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openReference } from '../../src/devices/reference/index.js';
import { openModel } from '../../src/runs/open-model.js';
import { openRun } from '../../src/runs/open-run.js';
import { sluice } from '../support/terminal.js';
import { readJson, temporaryFolder, tiny, writeText } from './runs.js';

const folder = temporaryFolder();
let made = 0;
const out = (): string => join(folder, `run-${made++}`);
const rings = ['--task', 'rings', '--examples', '100', '--hidden', '4', '--steps', '3', '--threads', '1'];
const train = (...args: readonly string[]) => sluice(['train', ...args]);
const parametersOf = (run: string) =>
  (readJson(run, 'run.json') as { feedForward: { parameters: Record<string, unknown> } }).feedForward.parameters;

describe('--param', () => {
  test('gives a constant of the activation a value, which the run keeps', async () => {
    const run = out();
    const { code } = await train(...rings, '--activation', 'leakyRelu', '--param', 'slope=0.2', '--out', run);
    expect(code).toBe(0);
    expect(parametersOf(run)).toEqual({ slope: { value: 0.2, learned: false } });
    expect((await train('--resume', run, '--steps', '5')).code).toBe(0);
  });

  test('makes one learned, and saves and judges what it became', async () => {
    const run = out();
    const flags = ['--activation', 'leakyRelu', '--param', 'slope=0.3', '--param', 'slope=learned'];
    expect((await train(...rings, ...flags, '--out', run)).code).toBe(0);
    const model = await openModel(run, await openReference());
    const slope = model.namedParameters().find(({ name }) => name === 'activations.1.weight');
    expect(slope?.decay).toBe(false);
    const value = await slope?.tensor.item();
    expect(value).not.toBe(Math.fround(0.3));
    expect(value).toBeCloseTo(0.3, 0);
    expect((await sluice(['evaluate', run, '--json'])).code).toBe(0);
  });

  test('names the parameters of a formula of your own', async () => {
    const run = out();
    const flags = ['--activation', 'x*sigmoid(beta*x) + a*x', '--param', 'beta=1.5', '--param', 'a=0.1,a=learned'];
    expect((await train(...rings, ...flags, '--out', run)).code).toBe(0);
    expect(parametersOf(run)).toEqual({ beta: { value: 1.5, learned: false }, a: { value: 0.1, learned: true } });
  });

  test('is of a language model too: of its gate, or of its activation', async () => {
    const text = ['--data', writeText(folder)];
    const [gate, gated] = [out(), out()];
    expect((await train(...text, ...tiny, '--ffn', 'swiglu', '--param', 'beta=learned', '--out', gate)).code).toBe(0);
    const { model } = await openRun(gate, await openReference());
    expect(model.namedParameters().some(({ name }) => name.endsWith('.beta'))).toBe(true);
    const flags = ['--activation', 'leakyRelu', '--param', 'slope=0.25'];
    expect((await train(...text, ...tiny, ...flags, '--out', gated)).code).toBe(0);
    expect(readJson(gated, 'run.json')).toMatchObject({ feedForward: { expression: expect.stringContaining('0.25') } });
  });

  test.each<[readonly string[], RegExp]>([
    [['--activation', 'relu', '--param', 'slope=1'], /relu has no parameters, received "slope"/],
    [
      ['--activation', 'leakyRelu', '--param', 'slop=1'],
      /leakyRelu has the parameters slope, received "slop"\. Did you mean/,
    ],
    [['--activation', 'leakyRelu', '--param', 'slope'], /--param gives a name and a number, received "slope"/],
  ])('%j is one clear error before anything is made', async (flags, message) => {
    const run = out();
    const { code, error } = await train(...rings, ...flags, '--out', run);
    expect([code, error]).toEqual([2, expect.stringMatching(message)]);
    expect(existsSync(run)).toBe(false);
  });
});
