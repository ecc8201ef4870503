import { expect, test } from 'vitest';
import { defaults } from '../../src/runs/settings.js';
import { taskNamed } from '../../src/runs/tasks.js';
import { printedBy, readPage } from './page.js';

const page = await readPage('docs/sequences.md');

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
  expect(await printedBy(page)).toEqual([[3, [1, 2, 3, 4, 0, 0], [2, 2]]]);
});
