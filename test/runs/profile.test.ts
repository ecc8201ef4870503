import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { Profile } from '../../src/runs/profile.js';
import type { ProfileReport } from '../../src/runs/profile-report.js';
import { Trainer } from '../../src/training/trainer.js';
import { temporaryFolder } from '../cli/runs.js';
import { smallModel, text } from '../training/support.js';

const folder = temporaryFolder();
const options = { batch: 2, context: 8, accumulate: 1, seed: 3 };

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly cat?: string;
  readonly ts: number;
  readonly dur: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

describe('a profile of training', () => {
  let device: Device;
  let losses: readonly number[];
  let found: { readonly report: ProfileReport; readonly trace: string };
  let events: readonly TraceEvent[];
  let trainer: Trainer;
  let profile: Profile;
  beforeAll(async () => {
    device = await openWasm({ threads: 1 });
    profile = new Profile(device);
    trainer = new Trainer(profile.device, smallModel(profile.device), text, options);
    profile.watch(trainer);
    const records: number[] = [];
    for (let left = 4; left > 0; left--) records.push((await profile.measure(left, () => trainer.step(0.01))).loss);
    losses = records;
    expect(profile.isDone).toBe(true);
    found = await profile.take(folder);
    events = (JSON.parse(readFileSync(found.trace, 'utf8')) as { traceEvents: TraceEvent[] }).traceEvents;
    return () => device.close();
  });

  test('changes nothing that is computed', async () => {
    const plain = await openWasm({ threads: 1 });
    const alone = new Trainer(plain, smallModel(plain), text, options);
    const expected: number[] = [];
    for (let i = 0; i < 4; i++) expected.push((await alone.step(0.01)).loss);
    await plain.close();
    expect(losses).toEqual(expected);
  });

  test('leaves out the steps that compile', () => {
    expect(found.report.steps).toBe(2);
    expect(events.flatMap(({ cat, name }) => (cat === 'step' ? [name] : []))).toEqual(['step 3', 'step 4']);
  });

  test('shares the time of a step out to kernels, or to layers, and JavaScript', () => {
    const { milliseconds, overheadMilliseconds, kernels, layers, launches } = found.report;
    for (const rows of [kernels, layers]) {
      const sum = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((all, row) => all + of(row), 0);
      expect(sum((row) => row.milliseconds) + overheadMilliseconds).toBeCloseTo(milliseconds, 6);
      expect(sum((row) => row.launches)).toBeCloseTo(launches, 9);
    }
  });

  test('names kernels by what they do, and layers by their place', () => {
    const kernels = found.report.kernels.map(({ name }) => name.replace(/ [\dx]+$/, ''));
    expect(kernels).toEqual(
      expect.arrayContaining([
        'swiglu',
        'swiglu gradient',
        'RMSNorm',
        'crossEntropy and gradient',
        'attention',
        'matmul',
      ]),
    );
    const layers = found.report.layers.map(({ name }) => name);
    expect(layers).toEqual(
      expect.arrayContaining([
        'model.layers.*.mlp.act_fn forward',
        'model.layers.*.mlp.act_fn backward',
        'model.layers.*.self_attn.o_proj backward',
        '(optimizer) update',
      ]),
    );
  });

  test('writes a trace in which calls lie within their step', () => {
    const steps = events.filter(({ cat }) => cat === 'step');
    const calls = events.filter(({ ph, args }) => ph === 'X' && args !== undefined);
    expect(calls.length).toBe(2 * found.report.launches);
    for (const { ts, dur } of calls) {
      expect(steps.some((step) => step.ts <= ts && ts + dur <= step.ts + step.dur + 1e-3)).toBe(true);
    }
    expect(calls.find(({ name }) => name === 'swiglu gradient')?.args).toMatchObject({
      layer: 'model.layers.0.mlp.act_fn',
      phase: 'backward',
    });
  });

  test('is gone from the layers when it was taken', async () => {
    for (const [, layer] of trainer.model.namedLayers()) expect(Object.hasOwn(layer, 'forward')).toBe(false);
    expect(Object.hasOwn(trainer.optimizer, 'step')).toBe(false);
    await profile.measure(1, () => trainer.step(0.01));
    expect(profile.isDone).toBe(false);
  });
});

describe('sluice train --profile', async () => {
  const { train, writeText } = await import('../cli/runs.js');
  const data = writeText(folder);

  test('prints kernels and layers, and puts the trace into the run', async () => {
    const out = join(folder, 'run');
    const ran = await train(['--data', data, '--out', out, '--profile']);
    expect(ran.code).toBe(0);
    expect(ran.out).toMatch(/^step +[\d.]+ ms, the mean of 1$/m);
    expect(ran.out).toMatch(/swiglu gradient 2x8x8$/m);
    expect(ran.out).toMatch(/model\.layers\.\*\.mlp\.down_proj backward$/m);
    expect(existsSync(join(out, 'trace.json'))).toBe(true);
  });

  test('puts the trace where it is told, and the report into the JSON', async () => {
    const trace = join(folder, 'here.json');
    const out = join(folder, 'other');
    const ran = await train(['--data', data, '--out', out, '--profile', trace, '--json']);
    expect(ran.json()).toMatchObject({ step: 3, profile: { steps: 1, launches: expect.any(Number) } });
    expect([existsSync(trace), existsSync(join(out, 'trace.json'))]).toEqual([true, false]);
  });
});

test('a trace that cannot be written leaves the model as it was', async () => {
  const device = await openWasm({ threads: 1 });
  const profile = new Profile(device, join(folder, 'nowhere', 'at', 'all', 'trace.json'));
  const trainer = new Trainer(profile.device, smallModel(profile.device), text, options);
  const forward = (): unknown => Object.getOwnPropertyDescriptor(trainer.model, 'forward');
  const before = forward();
  profile.watch(trainer);
  expect(forward()).not.toEqual(before);
  await profile.measure(1, () => trainer.step(0.01));
  await expect(profile.take(folder)).rejects.toThrow();
  expect(forward()).toEqual(before);
  await device.close();
});
