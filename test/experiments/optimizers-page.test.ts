import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { optimizersPage } from '../../src/experiments/optimizers-page.js';
import { updateRules } from '../../src/training/update-rules.js';

const page = readFileSync(new URL('../../docs/optimizers.md', import.meta.url), 'utf8');

test('docs/optimizers.md is what npm run generate writes', () => {
  expect(page).toBe(optimizersPage());
});

test('docs/optimizers.md has the formula and the defaults of every optimizer', () => {
  for (const [name, make] of Object.entries(updateRules)) {
    const { name: title, options } = make();
    expect(page).toContain(`## ${title}: \`${name}()\``);
    for (const [option, value] of Object.entries(options)) expect(page).toContain(`${option} ${value}`);
  }
});
