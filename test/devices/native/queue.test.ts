import { expect, test } from 'vitest';
import { SluiceError } from '../../../src/base/errors.js';
import { TaskQueue } from '../../../src/devices/native/queue.js';

/** A task that notes its name when it runs. */
function taskOf(name: string, notes: string[], isReady = true) {
  return { name, isReady, run: () => void notes.push(name), abandon: () => void notes.push(`no ${name}`) };
}

test('a task that is ready runs at once when nothing waits', () => {
  const [queue, notes] = [new TaskQueue(), [] as string[]];
  queue.push(taskOf('a', notes));
  expect(notes).toEqual(['a']);
  expect(queue.isEmpty).toBe(true);
});

test('tasks run in the order of their calls, whichever is ready first', async () => {
  const [queue, notes] = [new TaskQueue(), [] as string[]];
  const [a, b, c] = [taskOf('a', notes, false), taskOf('b', notes, false), taskOf('c', notes)];
  for (const task of [a, b, c]) queue.push(task);
  const settled = queue.settled();
  b.isReady = true;
  queue.drain();
  expect(notes).toEqual([]);
  a.isReady = true;
  queue.drain();
  expect(notes).toEqual(['a', 'b', 'c']);
  await settled;
});

test('after a failure nothing runs, and everyone who waits or asks hears of it', async () => {
  const [queue, notes] = [new TaskQueue(), [] as string[]];
  queue.push(taskOf('a', notes, false));
  queue.push(taskOf('b', notes));
  const settled = queue.settled();
  queue.fail(new Error('no compiler'));
  await expect(settled).rejects.toThrow('no compiler');
  await expect(queue.settled()).rejects.toThrow('no compiler');
  expect(() => queue.push(taskOf('c', notes))).toThrow('no compiler');
  expect(notes).toEqual(['no a', 'no b']);
});

test('a task that fails stops those after it', async () => {
  const [queue, notes] = [new TaskQueue(), [] as string[]];
  const wrong = {
    isReady: false,
    run: () => {
      throw new Error('no memory');
    },
  };
  queue.push(wrong);
  queue.push(taskOf('b', notes));
  wrong.isReady = true;
  queue.drain();
  await expect(queue.settled()).rejects.toThrow('no memory');
  expect(notes).toEqual(['no b']);
});

test('what fails late says that the device is lost', async () => {
  const queue = new TaskQueue();
  const wrong = {
    isReady: false,
    run: () => {
      throw new SluiceError('argument', { rule: 'an index is below 4', received: 4, remedy: 'Correct it.' });
    },
  };
  queue.push(wrong);
  wrong.isReady = true;
  queue.drain();
  await expect(queue.settled()).rejects.toMatchObject({
    ...{
      code: 'argument',
      received: 4,
      remedy: expect.stringMatching(/^Correct it\. .*is lost by it: open it anew\.$/),
    },
  });
});
