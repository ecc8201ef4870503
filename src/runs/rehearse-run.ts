import type { Device } from '../devices/device.js';
import type { TaskRun } from './task.js';

/** All that a run does on its device: steps, of which the second finds what the first made; a judgement; and text. */
export async function goThrough(task: TaskRun): Promise<void> {
  for (let step = 0; step < 2; step++) await task.trainer.step(0);
  await task.measure({ maximumTokens: 1 });
  await task.sample?.();
}

/**
 * Where all kernels were made ahead: learns before a run starts whether one is missing. Made of its own, since what it
 * comes to is nothing.
 * @throws SluiceError `device` for a kernel that is missing.
 */
export async function rehearseRun(device: Device, make: () => Promise<TaskRun>): Promise<void> {
  if (device.rehearse === undefined) return;
  const task = await make();
  try {
    await device.rehearse(() => goThrough(task));
  } finally {
    task.trainer.optimizer?.dispose();
    task.trainer.model.dispose();
    await task.close();
  }
}

/** What a generator comes to, whatever it tells on the way. */
export async function resultOf<T>(generator: AsyncGenerator<unknown, T>): Promise<T> {
  let next = await generator.next();
  while (next.done !== true) next = await generator.next();
  return next.value;
}
