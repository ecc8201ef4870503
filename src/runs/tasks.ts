import { extname } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { toyTaskNames, toyTasks } from '../data/toy-tasks.js';
import type { PartialSettings } from './settings.js';
import type { Task } from './task.js';
import { causal } from './tasks/causal.js';
import { digitData, drawnData, tableData } from './tasks/example-data.js';
import { exampleTask } from './tasks/examples.js';

/** A task that is not causal is one of these sources of examples. */
const tasks: readonly Task[] = [
  causal,
  ...toyTaskNames.map((name) =>
    exampleTask({
      ...{ name, description: toyTasks[name].description, isRead: false, settings: ['examples'], defaults: {} },
      read: (settings) => drawnData(toyTasks[name], settings),
    }),
  ),
  exampleTask({
    ...{ name: 'mnist', description: 'tell handwritten digits', isRead: false, settings: [], read: digitData },
    defaults: { hidden: 256, batch: 128, lr: 2e-3, steps: 1000 },
  }),
  exampleTask({
    ...{ name: 'table', description: 'tell a column of a table from the others', isRead: true, read: tableData },
    ...{ settings: ['target', 'inputs', 'missing'], defaults: {} },
  }),
];

export const taskNames = tasks.map(({ name }) => name);

/** @throws SluiceError `name` that suggests the nearest task. */
export function taskNamed(name: string): Task {
  const found = tasks.find((task) => task.name === name);
  if (found !== undefined) return found;
  throw new SluiceError('name', {
    rule: `a task is one of ${taskNames.join(', ')}, or a table's file`,
    received: name,
    remedy: didYouMean(name, taskNames, 'Tables end in .csv or .tsv.'),
  });
}

/** A file in place of a task is a table of that name. */
export function taskAndData(given: PartialSettings): PartialSettings {
  const { task = '', data } = given;
  if (!/^\.[ct]sv$/i.test(extname(task))) return given;
  if (data === undefined) return { ...given, task: 'table', data: task };
  throw new SluiceError('argument', {
    rule: 'a table is named once, by --task or by --data',
    received: [task, data],
    remedy: 'Use --task table --data FILE.csv.',
  });
}
