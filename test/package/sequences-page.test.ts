import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import * as sluice from '../../src/index.js';
import { defaults } from '../../src/runs/settings.js';
import { taskNamed } from '../../src/runs/tasks.js';
import { checkout } from './packed.js';

const page = await readFile(join(checkout, 'docs/sequences.md'), 'utf8');
const opened: sluice.Device[] = [];
afterAll(() => Promise.all(opened.map((device) => device.close())));

test('the page says the defaults that are', () => {
  const { length, symbols, delay, horizon } = defaults;
  for (const said of [`numbers (${length})`, `symbols (${symbols})`, `blank steps (${delay})`, `rows (${horizon})`]) {
    expect(page).toContain(said);
  }
  const { lr, steps, hidden, batch } = taskNamed('adding').complete({});
  expect(page).toContain(`Length ${length}, ${hidden} units, ${steps} steps of ${batch} sequences`);
  expect(page).toContain(`| \`lstm\` | ${lr} (the default)`);
});

test('the code of the page runs, and says what it says', async () => {
  const code = [...page.matchAll(/^```js\n(.*?)^```$/gms)].map(([, block = '']) => block);
  const said: unknown[][] = [];
  const scope = {
    ...sluice,
    console: { log: (...values: unknown[]) => said.push(values) },
    openDevice: async () => {
      const device = await sluice.openDevice('wasm', { threads: 1 });
      opened.push(device);
      return device;
    },
  };
  const AsyncFunction = (async () => undefined).constructor as new (
    ...source: readonly string[]
  ) => (...values: readonly unknown[]) => Promise<unknown>;
  await new AsyncFunction(...Object.keys(scope), `'use strict'; ${code.join('\n')}`)(...Object.values(scope));
  expect(said).toEqual([[3, [1, 2, 3, 4, 0, 0], [2, 2]]]);
});
