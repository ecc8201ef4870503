import { describe, expect, test } from 'vitest';
import { learningRate, type ScheduleName, scheduleDefaults, scheduleNames } from '../../src/training/schedules.js';

const options = { lr: 0.01, minLr: 0.001, warmup: 10, steps: 110 };
const rate = (schedule: ScheduleName, step: number): number => learningRate(step, { ...options, schedule });

describe.each(scheduleNames)('%s', (schedule) => {
  test('rises by equal parts to its peak, which is the last warmup step and the first after', () => {
    for (let step = 0; step < 10; step++) expect(rate(schedule, step)).toBeCloseTo(0.001 * (step + 1), 15);
    expect(rate(schedule, 9)).toBe(0.01);
    expect(rate(schedule, 10)).toBe(0.01);
  });

  test('never rises after the warmup, nor leaves its bounds', () => {
    for (let step = 10; step < 200; step++) {
      expect(rate(schedule, step + 1)).toBeLessThanOrEqual(rate(schedule, step));
      expect(rate(schedule, step)).toBeGreaterThanOrEqual(0.001);
      expect(rate(schedule, step)).toBeLessThanOrEqual(0.01);
    }
  });

  test('ends at its least rate, one step beyond the last, and stays there', () => {
    const end = schedule === 'constant' ? 0.01 : 0.001;
    expect(rate(schedule, 110)).toBeCloseTo(end, 15);
    expect(rate(schedule, 1000)).toBeCloseTo(end, 15);
    if (schedule !== 'constant') expect(rate(schedule, 109)).toBeGreaterThan(end);
  });

  test('starts at its peak without a warmup', () => {
    expect(learningRate(0, { ...options, schedule, warmup: 0 })).toBe(0.01);
  });
});

test('cosine and linear are half way down in the middle', () => {
  expect(rate('cosine', 60)).toBeCloseTo(0.0055, 15);
  expect(rate('linear', 60)).toBeCloseTo(0.0055, 15);
  expect(rate('cosine', 35)).toBeCloseTo(0.001 + 0.009 * 0.5 * (1 + Math.SQRT1_2), 15);
});

test('wsd is stable until its last fifth', () => {
  for (const step of [10, 50, 89]) expect(rate('wsd', step)).toBe(0.01);
  expect(rate('wsd', 95)).toBeCloseTo(0.001 + 0.009 * (1 - Math.sqrt(0.25)), 12);
});

test.each([0, -1, Number.NaN])('a learning rate of %d is refused', (lr) => {
  expect(() => learningRate(0, { ...options, schedule: 'cosine', lr })).toThrow(/learning rate is positive/);
});

test('no step of a short run exceeds the peak by the usual warmup', () => {
  for (let steps = 1; steps <= 40; steps++) {
    const usual = { schedule: 'cosine', lr: 0.01, steps, ...scheduleDefaults(0.01, steps) } as const;
    for (let step = 0; step < steps; step++) expect(learningRate(step, usual)).toBeLessThanOrEqual(0.01);
  }
});

test.each(['warmup', 'steps'] as const)('%s that is no whole number is refused', (name) => {
  const wrong = { ...options, schedule: 'cosine', [name]: 2.5 } as const;
  expect(() => learningRate(0, wrong)).toThrow(
    `${name} of a schedule is a whole number of steps, received 2.5. Round it: 2.`,
  );
});
