import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { catalogue } from '../../src/activations/index.js';
import { openWasm } from '../../src/devices/wasm/device.js';
import { cataloguePage } from '../../src/experiments/catalogue-page.js';

const page = readFileSync(new URL('../../docs/activations.md', import.meta.url), 'utf8');

test('docs/activations.md is what npm run generate writes', async () => {
  const device = await openWasm({ threads: 1, deterministic: true });
  const fresh = await cataloguePage(device);
  await device.close();
  expect(page).toBe(fresh);
});

test('docs/activations.md has a section for every formula, with its definition in LaTeX', () => {
  for (const { name } of catalogue()) expect(page).toMatch(new RegExp(`^### ${name}\n\n\\$\\$\nf\\(`, 'm'));
});
