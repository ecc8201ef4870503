import { beforeEach, describe, expect, test } from 'vitest';
import type { Device } from '../../src/devices/device.js';
import { leakReport, ones, type Tensor, traceTensors } from '../../src/tensor/index.js';
import { Trainer } from '../../src/training/trainer.js';
import { smallModel, text } from '../training/support.js';
import { devices } from './devices.js';
import { here } from './lines.js';

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));

describe.each(devices)('the leak report on $name', ({ open }) => {
  let device: Device;
  beforeEach(async () => {
    device = await open();
    return () => device.close();
  });

  test('names the lines that made what is live, largest first', () => {
    ones(device, [1]);
    traceTensors(device);
    const kept = ones(device, [9]).keep();
    const lines = [here() + 1, here() + 2];
    for (let i = 0; i < 3; i++) ones(device, [i + 1, 2]);
    ones(device, [2]).mul(3);
    traceTensors(device, false);
    const [first, second, third] = leakReport(device);
    expect(first).toMatchObject({
      buffers: 3,
      shapes: [
        [1, 2],
        [2, 2],
        [3, 2],
      ],
    });
    expect(first?.madeAt).toContain(`leak-report.test.ts:${lines[0]}:`);
    expect(second).toMatchObject({ buffers: 1, shapes: [[2]] });
    expect(second?.madeAt).toContain(`leak-report.test.ts:${lines[1]}:`);
    expect(leakReport(device).reduce((sum, leak) => sum + leak.buffers, 0)).toBe(6);
    expect(third).toBeDefined();
    expect(kept.kept).toBe(true);
  });

  test('names the lines of async functions, and of the caller of an async one of the library', async () => {
    traceTensors(device);
    const make = async (): Promise<Tensor> => {
      await pause();
      return ones(device, [4]);
    };
    const madeOn = here() - 2;
    const made = await make();
    await pause();
    const addedOn = here() + 1;
    made.add(1);
    const model = smallModel(device);
    const trainer = new Trainer(device, model, text, { batch: 1, context: 2, accumulate: 1, seed: 0 });
    const steppedOn = here() + 1;
    await trainer.step(1e-3);
    const lines = leakReport(device).map(({ madeAt }) => madeAt ?? '');
    expect(lines).toHaveLength(3);
    for (const line of [madeOn, addedOn, steppedOn]) {
      expect(lines.filter((place) => place.includes(`leak-report.test.ts:${line}:`))).toHaveLength(1);
    }
  });
});
