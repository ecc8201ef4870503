import { extname } from 'node:path';
import { SluiceError } from '../base/errors.js';
import { didYouMean } from '../base/nearest.js';
import { toyTaskNames, toyTasks } from '../data/toy-tasks.js';
import type { PartialSettings } from './settings.js';
import type { Task } from './task.js';
import { causal } from './tasks/causal.js';
import { digitData, drawnData, shiftedDigits, tableData, textData } from './tasks/example-data.js';
import { exampleTask } from './tasks/examples.js';
import { mlm } from './tasks/mlm.js';
import { addingData, copyData, forecastData, newCopies, newSums } from './tasks/sequence-data.js';

/** A task that is not causal is one of these sources of examples. */
const tasks: readonly Task[] = [
  causal,
  mlm,
  ...toyTaskNames.map((name) =>
    exampleTask({
      ...{ name, description: toyTasks[name].description, isRead: false, settings: ['examples'], defaults: {} },
      models: ['mlp', 'perceptron'],
      read: (settings) => drawnData(toyTasks[name], settings),
    }),
  ),
  exampleTask({
    ...{ name: 'mnist', description: 'tell handwritten digits', isRead: false, settings: ['shift'], read: digitData },
    vary: shiftedDigits,
    models: ['mlp', 'lenet', 'lenet1989'],
    defaults: { hidden: 256, dropout: 0.2, batch: 128, lr: 2e-3, steps: 1500 },
  }),
  exampleTask({
    ...{ name: 'table', description: 'tell a column of a table from the others', isRead: true, read: tableData },
    ...{ settings: ['target', 'inputs', 'missing'], defaults: {}, models: ['mlp', 'perceptron'] },
  }),
  exampleTask({
    ...{ name: 'text', description: 'tell the class of a text', isRead: true, read: textData },
    ...{ settings: ['target', 'inputs', 'tokenizer', 'dim', 'context', 'readout'] },
    ...{ defaults: {}, models: ['bag', 'lstm', 'gru', 'rnn', 'bert', 'modernbert'] },
  }),
  exampleTask({
    ...{ name: 'adding', description: 'tell the sum of two marked numbers of many', isRead: false, read: addingData },
    ...{ settings: ['examples', 'length', 'readout'], vary: newSums, models: ['lstm', 'gru', 'rnn'] },
    defaults: { steps: 3000 },
  }),
  exampleTask({
    ...{ name: 'copy', description: 'say symbols again after a delay', isRead: false, read: copyData },
    ...{ settings: ['examples', 'symbols', 'delay'], vary: newCopies, models: ['lstm', 'gru', 'rnn'] },
    defaults: { steps: 3000 },
  }),
  exampleTask({
    ...{ name: 'forecast', description: 'forecast a series', isRead: true, read: forecastData },
    ...{
      settings: ['target', 'inputs', 'missing', 'window', 'horizon', 'season', 'readout', 'shortcut'],
      models: ['lstm', 'gru', 'rnn'],
    },
    defaults: { hidden: 32, batch: 32, steps: 600, lr: 3e-3 },
  }),
];

export const taskNames = tasks.map(({ name }) => name);

/** @throws SluiceError `name` that suggests the nearest task. */
export function taskNamed(name: string): Task {
  const found = tasks.find((task) => task.name === name);
  if (found !== undefined) return found;
  throw new SluiceError('name', {
    rule: `a task is one of ${taskNames.join(', ')}, or a file of examples`,
    received: name,
    remedy: didYouMean(name, taskNames, 'A file ends in .csv, .tsv or .jsonl.'),
  });
}

/** What a file in place of a task is, by how it ends. */
const fileTasks: Readonly<Record<string, string>> = { '.csv': 'table', '.tsv': 'table', '.jsonl': 'text' };

/** A file in place of a task stands for that file's task and its data. */
export function taskAndData(given: PartialSettings): PartialSettings {
  const { task: path = '', data } = given;
  const task = fileTasks[extname(path).toLowerCase()];
  if (task === undefined) return given;
  if (data === undefined) return { ...given, task, data: path };
  throw new SluiceError('argument', {
    rule: 'a file is named once, by --task or by --data',
    received: [path, data],
    remedy: `Use --task ${task} --data FILE.`,
  });
}
